"""Each symbol's volume and last price so far, for messages that bear them.

Trades count by their sale conditions (desk/bars/sale_conditions.py); corrections and cancels change nothing.

Tests: tests/desk/local_venue/test_json_feed.py
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from desk.bars.sale_conditions import eligibility
from desk.model.blocks import QUOTE, TRADE, Block

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class VolumesBefore:
    """Volumes and last prices before a chunk, by symbol; a price is NaN before the first trade."""

    volume: Floats
    last: Floats

    def written(self, events: Block) -> Block:
        """The chunk's events: each quote has, in its empty columns `size` and `price`, volume and last price so far."""
        order = np.argsort(events.symbol, kind="stable")
        symbol, trade, rules = events.symbol[order], events.kind[order] == TRADE, _rules(events)[order]
        heads = np.flatnonzero(np.diff(symbol, prepend=-2))
        head = np.repeat(heads, np.diff(np.append(heads, len(symbol))))
        traded = np.where(trade & rules[:, 0], events.size[order], 0.0)
        total = np.cumsum(traded)
        volume = self.volume[symbol] + total - total[head] + traded[head]
        prices = np.where(trade & rules[:, 2], events.price[order], np.nan)
        newest = np.maximum.accumulate(np.where(np.isnan(prices), -1, np.arange(len(prices))))
        last = np.where(newest >= head, prices[newest], self.last[symbol])
        quote = events.kind[order] == QUOTE
        size, price = events.size.copy(), events.price.copy()
        size[order[quote]] = volume[quote]
        price[order[quote]] = last[quote]
        return replace(events, size=size, price=price)


class RunningVolumes:
    """The figures of a source read from its start."""

    def __init__(self, symbols: int) -> None:
        self._volume = np.zeros(symbols)
        self._last = np.full(symbols, np.nan)

    def take(self, events: Block) -> VolumesBefore:
        """Add consecutive events; returns the figures before them."""
        before = VolumesBefore(self._volume.copy(), self._last.copy())
        trades = np.flatnonzero(events.kind == TRADE)
        rules = _rules(events)[trades]
        counted, priced = trades[rules[:, 0]], trades[rules[:, 2]]
        np.add.at(self._volume, events.symbol[counted], events.size[counted])
        self._last[events.symbol[priced]] = events.price[priced]  # of several the last, as numpy documents
        return before


def _rules(events: Block) -> NDArray[np.bool_]:
    """The eligibility of each event's conditions, for trades."""
    table = np.array([eligibility(code) for code in (*events.condition_codes, "")], np.bool_)
    rules: NDArray[np.bool_] = table[events.conditions]
    return rules
