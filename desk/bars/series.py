"""Bars of one symbol as numpy columns, read-only for strategies as `ctx.bars` and `ctx.bars_of`."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, Never, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from desk.model.bars import BarFields, BarFlag

ROW: Final = np.dtype(
    [
        ("minute_ns", np.int64),
        ("open", np.float64),
        ("high", np.float64),
        ("low", np.float64),
        ("close", np.float64),
        ("volume", np.float64),
        ("notional", np.float64),
        ("trades", np.int64),
        ("flags", np.uint8),
    ]
)
FLAGS: Final[tuple[BarFlag, ...]] = ("complete", "repaired", "partial")
"""The flags by their number in a row, the worst last."""
REPAIRED: Final = FLAGS.index("repaired")
PARTIAL: Final = FLAGS.index("partial")
FLAG_NAMES: Final = np.array(FLAGS)
FIRST_ROWS: Final = 64


class ColumnCopy(NamedTuple):
    """A copy of a column as immutable bytes: an array over them cannot be made writable."""

    values: bytes
    kind: np.dtype[Any]

    @classmethod
    def of(cls, rows: NDArray[Any], name: str) -> Self:
        """A copy of a column of these rows, or of their "vwap"."""
        if name == "flags":
            values = FLAG_NAMES[rows["flags"]]
        elif name == "vwap":
            volume = rows["volume"]
            values = np.divide(rows["notional"], volume, out=np.full(len(rows), np.nan), where=volume != 0)
        else:
            values = rows[name]
        return cls(values.tobytes(), values.dtype)

    def array(self) -> NDArray[Any]:
        """A new array over the bytes."""
        return np.frombuffer(self.values, self.kind)


class Columns(Protocol):
    """Bars by column, as `BarSeries` reads them."""

    def __len__(self) -> int: ...

    def column(self, name: str) -> NDArray[Any]:
        """A column as a read-only array: one of ROW, or "vwap"."""
        ...


class SeriesRows:
    """Rows sorted by minute; grows by doubling. `series` is the read-only view that strategies get.

    The first read of a column after a change copies it into immutable bytes. An array over these bytes is read-only,
    and later changes do not reach it. `version` rises with every change.
    """

    __slots__ = ("_copies", "_length", "_rows", "series", "version")

    def __init__(self) -> None:
        self._rows = np.empty(FIRST_ROWS, ROW)
        self._length = 0
        self._copies: dict[str, ColumnCopy] = {}
        self.version = 0
        self.series = BarSeries(self)

    def __len__(self) -> int:
        return self._length

    def put(self, bar: BarFields) -> None:
        """Insert the minute, or replace its row. Minutes mostly come in order: then this appends."""
        length = self._length
        row = row_of(bar)
        self._changed()
        if length == 0 or bar.minute_ns > self._rows[length - 1]["minute_ns"]:
            self._make_room()
            self._rows[length] = row
            self._length = length + 1
            return
        index = self._place(bar.minute_ns)
        if self._rows[index]["minute_ns"] != bar.minute_ns:
            self._make_room()
            self._rows[index + 1 : length + 1] = self._rows[index:length]
            self._length = length + 1
        self._rows[index] = row

    def remove(self, minute_ns: int) -> None:
        """Remove the minute's row, if it has one."""
        index, length = self._place(minute_ns), self._length
        if index < length and self._rows[index]["minute_ns"] == minute_ns:
            self._rows[index : length - 1] = self._rows[index + 1 : length].copy()
            self._length = length - 1
            self._changed()

    def has(self, minute_ns: int) -> bool:
        """Whether the minute has a row."""
        index = self._place(minute_ns)
        return index < self._length and bool(self._rows[index]["minute_ns"] == minute_ns)

    def holds(self, bar: BarFields) -> bool:
        """Whether the minute has a row that equals this bar in all fields but the flags."""
        index = self._place(bar.minute_ns)
        return index < self._length and self._rows[index].item()[:-1] == row_of(bar)[:-1]

    def packed(self) -> bytes:
        """All rows as bytes, in the format that `put_rows` reads."""
        return self._rows[: self._length].tobytes()

    def put_rows(self, rows: bytes) -> None:
        """Replace the rows by those of another series of the symbol; empty `rows` change nothing."""
        more = np.frombuffer(rows, ROW)
        if len(more):
            self._rows = np.concatenate((more, np.empty(max(len(more), FIRST_ROWS), ROW)))
            self._length = len(more)
            self._changed()

    def rows(self) -> NDArray[Any]:
        """The rows themselves, valid until the next change. The caller must not write to them."""
        return self._rows[: self._length]

    def between(self, from_ns: int, to_ns: int) -> NDArray[Any]:
        """The rows that start in [from_ns, to_ns), as `rows`."""
        return self._rows[self._place(from_ns) : self._place(to_ns)]

    def column(self, name: str) -> NDArray[Any]:
        """A column as a read-only array of its own."""
        copied = self._copies.get(name)
        if copied is None:
            copied = self._copies[name] = ColumnCopy.of(self.rows(), name)
        return copied.array()

    def _changed(self) -> None:
        self.version += 1
        self._copies.clear()

    def _place(self, minute_ns: int) -> int:
        return int(np.searchsorted(self._rows["minute_ns"][: self._length], minute_ns))

    def _make_room(self) -> None:
        if self._length == len(self._rows):
            grown = np.empty(2 * self._length, ROW)
            grown[: self._length] = self._rows
            self._rows = grown


class BarSeries:
    """The closed bars of one symbol, oldest first: the read-only `ctx.bars` of strategies."""

    __slots__ = ("_of",)

    _of: Columns

    def __init__(self, of: Columns) -> None:
        object.__setattr__(self, "_of", of)

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"bars cannot be changed: {name} was to be set")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"bars cannot be changed: {name} was to be deleted")

    def __len__(self) -> int:
        return len(self._of)

    @property
    def minute_ns(self) -> NDArray[np.int64]:
        """Start of each bar, ns since the epoch."""
        return self._of.column("minute_ns")

    @property
    def open(self) -> NDArray[np.float64]:
        """Opening prices."""
        return self._of.column("open")

    @property
    def high(self) -> NDArray[np.float64]:
        """Highest prices."""
        return self._of.column("high")

    @property
    def low(self) -> NDArray[np.float64]:
        """Lowest prices."""
        return self._of.column("low")

    @property
    def close(self) -> NDArray[np.float64]:
        """Closing prices."""
        return self._of.column("close")

    @property
    def volume(self) -> NDArray[np.float64]:
        """Shares."""
        return self._of.column("volume")

    @property
    def vwap(self) -> NDArray[np.float64]:
        """Volume-weighted average prices."""
        return self._of.column("vwap")

    @property
    def trades(self) -> NDArray[np.int64]:
        """Trades that count for volume."""
        return self._of.column("trades")

    @property
    def flags(self) -> NDArray[np.str_]:
        """Whether each bar is "complete", "repaired" or "partial"."""
        return self._of.column("flags")


def row_of(bar: BarFields) -> tuple[int, float, float, float, float, float, float, int, int]:
    """The bar as a row."""
    return (
        bar.minute_ns,
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.volume,
        bar.notional,
        bar.trades,
        FLAGS.index(bar.flags),
    )


def rows_of(bars: Iterable[BarFields]) -> NDArray[Any]:
    """These bars as rows."""
    return np.array([row_of(bar) for bar in bars], ROW)
