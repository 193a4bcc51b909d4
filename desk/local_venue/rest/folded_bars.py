"""Bars as columns, folded from trades or from shorter bars with numpy.

Tests: tests/desk/local_venue/test_folded_bars.py
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Ints

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FoldedBars:
    """Bars of one symbol by start. A bar whose trades set no price has NaN in `open` and `close`.

    `notional` is the sum of price x size over the trades that count for volume.
    """

    start_ns: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    notional: Floats
    trades: Ints

    def __len__(self) -> int:
        return len(self.start_ns)

    @classmethod
    def empty(cls) -> Self:
        """No bars."""
        none, number = np.zeros(0), np.zeros(0, np.int64)
        return cls(number, none, none, none, none, none, none, number)

    @property
    def priced(self) -> NDArray[np.bool_]:
        """Which bars have prices."""
        return ~np.isnan(self.open)

    @property
    def vwap(self) -> Floats:
        """Volume-weighted average prices."""
        vwap: Floats = self.notional / self.volume
        return vwap

    def keys(self) -> tuple[Ints, Ints]:
        """The starts, by which bars are ordered; the second part is the same for all."""
        return self.start_ns, np.zeros(len(self), np.int64)

    def only(self, rows: NDArray[Any] | slice) -> Self:
        """Some of the bars."""
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The bars of consecutive parts, at least one."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def scaled(self, price: Floats, volume: Floats) -> Self:
        """Prices and volumes multiplied by factors, one per bar."""
        changed = {name: getattr(self, name) * price for name in ("open", "high", "low", "close")}
        return replace(self, volume=self.volume * volume, notional=self.notional * price * volume, **changed)

    def without_prices(self, rows: NDArray[np.bool_]) -> Self:
        """The same volumes; the bars `rows` set no price any more."""
        unknown = {"open": np.nan, "close": np.nan, "high": -np.inf, "low": np.inf}
        return replace(self, **{name: np.where(rows, value, getattr(self, name)) for name, value in unknown.items()})

    def gathered(self, start_ns: Ints) -> Self:
        """Longer bars: consecutive bars with one value in `start_ns`, which is each bar's new start, become one."""
        if not len(self):
            return self
        heads = np.flatnonzero(np.diff(start_ns, prepend=start_ns[0] - 1))
        last = np.append(heads[1:], len(self)) - 1
        row = np.arange(len(self))
        priced = self.priced
        first_priced = np.minimum.reduceat(np.where(priced, row, len(self)), heads)
        last_priced = np.maximum.reduceat(np.where(priced, row, -1), heads)
        known = last_priced >= 0
        return type(self)(
            start_ns[heads],
            np.where(known, self.open[np.minimum(first_priced, last)], np.nan),
            np.maximum.reduceat(self.high, heads),
            np.minimum.reduceat(self.low, heads),
            np.where(known, self.close[last_priced], np.nan),
            np.add.reduceat(self.volume, heads),
            np.add.reduceat(self.notional, heads),
            np.add.reduceat(self.trades, heads),
        )


def fold_trades(
    start_ns: Ints, price: Floats, size: Floats, high_low: NDArray[np.bool_], open_close: NDArray[np.bool_]
) -> FoldedBars:
    """Bars of trades that count for volume, in the order of (venue time, arrival); `start_ns` is each trade's bar.

    `high_low` and `open_close` say which trades may set these fields (desk/bars/sale_conditions.py).
    """
    ends = np.where(open_close, price, np.nan)
    single = FoldedBars(
        start_ns,
        ends,
        np.where(high_low, price, -np.inf),
        np.where(high_low, price, np.inf),
        ends,
        size,
        price * size,
        np.ones(len(price), np.int64),
    )
    return single.gathered(start_ns)
