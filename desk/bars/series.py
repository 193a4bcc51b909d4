"""The closed minutes of one symbol as numpy columns, read-only for strategies as `ctx.bars`."""

from typing import Any, Final, Never

import numpy as np
from numpy.typing import NDArray

from desk.model.bars import BarFields

ROW: Final = np.dtype(
    [
        ("minute_ns", np.int64),
        ("open", np.float64),
        ("high", np.float64),
        ("low", np.float64),
        ("close", np.float64),
        ("volume", np.float64),
        ("vwap", np.float64),
        ("trades", np.int64),
    ]
)
FIRST_ROWS: Final = 64


class SeriesRows:
    """Rows sorted by minute; grows by doubling. `series` is the read-only view that strategies get.

    The first read of a column after a change copies it into immutable bytes. An array over these bytes is read-only,
    and later changes do not reach it.
    """

    __slots__ = ("_copies", "_length", "_rows", "series")

    def __init__(self) -> None:
        self._rows = np.empty(FIRST_ROWS, ROW)
        self._length = 0
        self._copies: dict[str, bytes] = {}
        self.series = BarSeries(self)

    def __len__(self) -> int:
        return self._length

    def put(self, bar: BarFields) -> None:
        """Insert the minute, or replace its row. Minutes mostly come in order: then this appends."""
        length = self._length
        row = _row(bar)
        self._copies.clear()
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
            self._copies.clear()

    def holds(self, bar: BarFields) -> bool:
        """Whether the minute has a row that equals this bar."""
        index = self._place(bar.minute_ns)
        return index < self._length and self._rows[index].item() == _row(bar)

    def packed(self) -> bytes:
        """All rows as bytes, in the format that `put_rows` reads."""
        return self._rows[: self._length].tobytes()

    def put_rows(self, rows: bytes) -> None:
        """Replace the rows by those of another series of the symbol; empty `rows` change nothing."""
        more = np.frombuffer(rows, ROW)
        if len(more):
            self._rows = np.concatenate((more, np.empty(max(len(more), FIRST_ROWS), ROW)))
            self._length = len(more)
            self._copies.clear()

    def column(self, name: str, kind: type[Any]) -> NDArray[Any]:
        """A column as a read-only array of its own."""
        copied = self._copies.get(name)
        if copied is None:
            copied = self._copies[name] = self._rows[name][: self._length].tobytes()
        return np.frombuffer(copied, kind)

    def _place(self, minute_ns: int) -> int:
        return int(np.searchsorted(self._rows["minute_ns"][: self._length], minute_ns))

    def _make_room(self) -> None:
        if self._length == len(self._rows):
            grown = np.empty(2 * self._length, ROW)
            grown[: self._length] = self._rows
            self._rows = grown


class BarSeries:
    """The closed minutes of one symbol, oldest first: the read-only `ctx.bars` of strategies."""

    __slots__ = ("_of",)

    _of: SeriesRows

    def __init__(self, of: SeriesRows) -> None:
        object.__setattr__(self, "_of", of)

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"ctx.bars cannot be changed: {name} was to be set")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"ctx.bars cannot be changed: {name} was to be deleted")

    def __len__(self) -> int:
        return len(self._of)

    @property
    def minute_ns(self) -> NDArray[np.int64]:
        """Start of each minute, ns since the epoch."""
        return self._of.column("minute_ns", np.int64)

    @property
    def open(self) -> NDArray[np.float64]:
        """Opening prices."""
        return self._of.column("open", np.float64)

    @property
    def high(self) -> NDArray[np.float64]:
        """Highest prices."""
        return self._of.column("high", np.float64)

    @property
    def low(self) -> NDArray[np.float64]:
        """Lowest prices."""
        return self._of.column("low", np.float64)

    @property
    def close(self) -> NDArray[np.float64]:
        """Closing prices."""
        return self._of.column("close", np.float64)

    @property
    def volume(self) -> NDArray[np.float64]:
        """Shares."""
        return self._of.column("volume", np.float64)

    @property
    def vwap(self) -> NDArray[np.float64]:
        """Volume-weighted average prices."""
        return self._of.column("vwap", np.float64)

    @property
    def trades(self) -> NDArray[np.int64]:
        """Trades that count for volume."""
        return self._of.column("trades", np.int64)


def _row(bar: BarFields) -> tuple[int, float, float, float, float, float, float, int]:
    return bar.minute_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.vwap, bar.trades
