"""Bars from columns of trades: the fold of `desk.model.bars.Bar` over thousands of symbols at once.

Folding block by block gives bit for bit the same bars as folding all trades at once: `np.add.at` is unbuffered and adds
volume and notional in the order given, and open, high, low and close do not depend on the order.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from desk.bars.sale_conditions import eligibility
from desk.model.bars import NO_TIME, Bar, BarFields, BarFlag
from desk.model.units import MINUTE_NS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FIRST_ROWS: Final = 1024
_LATEST: Final = np.iinfo(np.int64).max
_EARLIEST: Final = np.iinfo(np.int64).min
_FRESH: Final[dict[str, tuple[type[np.generic], float]]] = {
    "open": (np.float64, float("nan")),
    "high": (np.float64, float("-inf")),
    "low": (np.float64, float("inf")),
    "close": (np.float64, float("nan")),
    "volume": (np.float64, 0.0),
    "notional": (np.float64, 0.0),
    "trades": (np.int64, 0),
    "open_ns": (np.int64, _LATEST),
    "open_ordinal": (np.int64, _LATEST),
    "close_ns": (np.int64, _EARLIEST),
    "close_ordinal": (np.int64, _EARLIEST),
}


class TradeColumns(NamedTuple):
    """Trades as arrays of equal length; `allowed`, of shape (trades, 3), is a result of `allowance`."""

    ts_ns: Ints
    ordinal: Ints
    price: Floats
    size: Floats
    allowed: NDArray[np.bool_]

    def only(self, mask: NDArray[np.bool_]) -> "TradeColumns":
        """The trades for which `mask` is true."""
        return TradeColumns(self.ts_ns[mask], self.ordinal[mask], self.price[mask], self.size[mask], self.allowed[mask])


class BarColumns:
    """Bars as rows of parallel arrays, each at least `rows` long; the caller assigns symbol and minute to a row.

    Until a trade sets a price, `open_ns` is the greatest and `close_ns` the least int64.
    """

    __slots__ = (*_FRESH, "rows")

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    notional: Floats
    trades: Ints
    open_ns: Ints
    open_ordinal: Ints
    close_ns: Ints
    close_ordinal: Ints

    def __init__(self, rows: int) -> None:
        self.rows = rows
        for name, (kind, value) in _FRESH.items():
            setattr(self, name, np.full(rows, value, kind))

    def grow(self, rows: int) -> None:
        """Grow to at least `rows` rows, by doubling; new rows are empty bars."""
        self.rows = max(rows, self.rows)
        room = len(self.volume)
        if rows <= room:
            return
        more = max(rows, 2 * room, FIRST_ROWS) - room
        for name, (kind, value) in _FRESH.items():
            setattr(self, name, np.concatenate((getattr(self, name), np.full(more, value, kind))))

    def fold(self, row: NDArray[np.intp], trades: TradeColumns) -> None:
        """Fold trade i into bar `row[i]`, in the order given."""
        counts, ranges, sets = trades.allowed.T
        bars, price, size = row[counts], trades.price[counts], trades.size[counts]
        np.add.at(self.volume, bars, size)
        np.add.at(self.notional, bars, price * size)
        np.add.at(self.trades, bars, 1)
        bars, price = row[ranges], trades.price[ranges]
        np.maximum.at(self.high, bars, price)
        np.minimum.at(self.low, bars, price)
        bars, trades = row[sets], trades.only(sets)
        _keep(np.minimum, _LATEST, (self.open_ns, self.open_ordinal, self.open), bars, trades)
        _keep(np.maximum, _EARLIEST, (self.close_ns, self.close_ordinal, self.close), bars, trades)

    def put(self, row: int, bar: BarFields) -> None:
        """Replace a row by this bar."""
        for name in _FRESH:
            getattr(self, name)[row] = getattr(bar, name)
        if not bar.priced:
            for name in ("open_ns", "open_ordinal", "close_ns", "close_ordinal"):
                getattr(self, name)[row] = _FRESH[name][1]

    def bar(self, row: int, symbol: str, minute_ns: int, flags: BarFlag) -> Bar:
        """The row as the bar of a symbol's minute."""
        priced = self.open_ns[row] != _LATEST
        return Bar(
            symbol,
            minute_ns,
            float(self.open[row]),
            float(self.high[row]),
            float(self.low[row]),
            float(self.close[row]),
            float(self.volume[row]),
            float(self.notional[row]),
            int(self.trades[row]),
            int(self.open_ns[row]) if priced else NO_TIME,
            int(self.open_ordinal[row]) if priced else 0,
            int(self.close_ns[row]) if priced else NO_TIME,
            int(self.close_ordinal[row]) if priced else 0,
            flags,
        )


class MinuteColumns:
    """The minutes of many symbols, by venue time.

    A (symbol, minute) without a trade costs four bytes, and those only if another symbol traded in that
    minute; so a day of the whole market fits.
    """

    def __init__(self, symbols: int) -> None:
        self._symbols = symbols
        self._rows_of: dict[int, NDArray[np.int32]] = {}
        self.bars = BarColumns(0)

    def fold(self, symbol: NDArray[np.int32], trades: TradeColumns) -> None:
        """Fold trades in the order of arrival; trade i belongs to the symbol with index `symbol[i]`."""
        if not len(symbol):
            return
        row = np.empty(len(symbol), np.intp)
        minute = trades.ts_ns // MINUTE_NS
        first, last = int(minute.min()), int(minute.max())
        for one in [first] if first == last else np.unique(minute).tolist():
            here = slice(None) if first == last else minute == one
            row[here] = self._place(one * MINUTE_NS, symbol[here])
        self.bars.fold(row, trades)

    def rows(self, minute_ns: int) -> NDArray[np.int32] | None:
        """Per symbol the row of `bars` with this minute, -1 for none; None if no symbol traded in the minute."""
        return self._rows_of.get(minute_ns)

    def put(self, symbol: int, bar: BarFields) -> None:
        """Replace one symbol's minute by this bar."""
        (row,) = self._place(bar.minute_ns, np.array([symbol], np.int32))
        self.bars.put(int(row), bar)

    def of(self, symbol: int, name: str, flags: BarFlag) -> list[Bar]:
        """One symbol's minutes as bars named `name`, oldest first; some may have volume but no price.

        A minute of which all trades were cancelled has no bar.
        """
        minutes = sorted(self._rows_of)
        rows = [int(self._rows_of[minute][symbol]) for minute in minutes]
        trades = self.bars.trades
        return [
            self.bars.bar(row, name, minute, flags)
            for minute, row in zip(minutes, rows, strict=True)
            if row >= 0 and trades[row]
        ]

    def _place(self, minute_ns: int, symbol: NDArray[np.int32]) -> NDArray[np.int32]:
        """The rows of these symbols' bars of one minute; missing ones are created."""
        rows_of = self._rows_of.get(minute_ns)
        if rows_of is None:
            rows_of = self._rows_of[minute_ns] = np.full(self._symbols, -1, np.int32)
        row = rows_of[symbol]
        if row.min() >= 0:
            return row
        new = np.unique(symbol[row < 0])
        begun = self.bars.rows
        self.bars.grow(begun + len(new))
        rows_of[new] = np.arange(begun, begun + len(new), dtype=np.int32)
        return rows_of[symbol]


def allowance(conditions: NDArray[np.int32], codes: Sequence[str]) -> NDArray[np.bool_]:
    """The fields that each trade may set, as bool columns volume, high_low, open_close; index -1 is a regular trade."""
    table = np.array([eligibility(code) for code in (*codes, "")], np.bool_)
    return table[conditions]


def _keep(
    choose: Any, worst: int, held: tuple[Ints, Ints, Floats], bars: NDArray[np.intp], trades: TradeColumns
) -> None:
    """Keep in each bar the (ts_ns, ordinal, price) with the least or greatest (ts_ns, ordinal).

    `choose` is np.minimum or np.maximum, `worst` the ordinal that loses to all others. It does not sort: it finds the
    extreme time of each bar, then the extreme ordinal among the trades of that time.
    """
    held_ns, held_ordinal, held_price = held
    before_ns = held_ns[bars]
    choose.at(held_ns, bars, trades.ts_ns)
    now_ns = held_ns[bars]
    held_ordinal[bars[now_ns != before_ns]] = worst
    rivals = trades.ts_ns == now_ns
    bars, ordinal, price = bars[rivals], trades.ordinal[rivals], trades.price[rivals]
    before = held_ordinal[bars]
    choose.at(held_ordinal, bars, ordinal)
    winners = (ordinal == held_ordinal[bars]) & (ordinal != before)
    held_price[bars[winners]] = price[winners]
