"""Unusual volume: symbols that trade far more now than earlier in the session."""

from typing import Annotated, Final

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from desk import strategy
from desk.scanner import MarketSnapshot, Scanner
from strategies.scanners.ranking import best_first

RECENT_MINUTES: Final = 3


class UnusualVolume(Scanner):
    """Compares a symbol's mean volume of the last complete minutes with its mean of the minutes before.

    The last minutes are three, and early in the session at most half of the complete ones. Minutes of unknown volume,
    which a live market has, are left out of both means. Symbols without earlier volume are not picked, and no symbol is
    picked before two minutes are complete.
    """

    class Params(strategy.Params, frozen=True):
        """`ratio` of the two means; `min_price` in dollars."""

        min_price: Annotated[float, Meta(ge=0)] = 5.0
        ratio: Annotated[float, Meta(gt=0)] = 3.0

    params: Params

    def scan(self, market: MarketSnapshot) -> list[str]:
        complete = market.minute_volume[:-1]
        recent = min(RECENT_MINUTES, len(complete) // 2)
        if recent == 0:
            return []
        now, before = _known_mean(complete[-recent:]), _known_mean(complete[:-recent])
        ratio = np.divide(now, before, out=np.zeros_like(now), where=before > 0)
        wanted = (ratio >= self.params.ratio) & (market.price >= self.params.min_price)
        return best_first(market.symbols, ratio, wanted)


def _known_mean(volume: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each symbol's known minutes; 0 without any."""
    known = ~np.isnan(volume)
    count = known.sum(axis=0)
    total: NDArray[np.float64] = np.where(known, volume, 0.0).sum(axis=0)
    mean: NDArray[np.float64] = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    return mean
