"""Unusual volume: symbols that trade far more now than earlier in the session."""

from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from desk import strategy
from desk.scanner import MarketSnapshot, Scanner
from strategies.scanners.ranking import best_first

RECENT_MINUTES: Final = 3


class UnusualVolume(Scanner):
    """Compares the volume of the last complete minutes with the symbol's own mean of the minutes before.

    "Last" is three minutes, but at most half of the complete ones. It wants nothing before two minutes are complete,
    and no symbol without earlier volume.
    """

    class Params(strategy.Params, frozen=True):
        """`ratio` of the two means of volume per minute; `min_price` in dollars."""

        min_price: Annotated[float, Meta(ge=0)] = 5.0
        ratio: Annotated[float, Meta(gt=0)] = 3.0

    params: Params

    def scan(self, market: MarketSnapshot) -> list[str]:
        complete = market.minute_volume[:-1]
        recent = min(RECENT_MINUTES, len(complete) // 2)
        if recent == 0:
            return []
        now = complete[-recent:].mean(axis=0)
        before = complete[:-recent].mean(axis=0)
        ratio = np.divide(now, before, out=np.zeros_like(now), where=before > 0)
        wanted = (ratio >= self.params.ratio) & (market.price >= self.params.min_price)
        return best_first(market.symbols, ratio, wanted)
