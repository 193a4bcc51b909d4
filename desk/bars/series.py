"""The closed minutes of one symbol as numpy columns: what a strategy sees as `ctx.bars`."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.model.bars import Bar

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


class BarSeries:
    """Rows sorted by minute; grows by doubling. The views are read-only and valid until the next change."""

    __slots__ = ("_length", "_rows")

    def __init__(self) -> None:
        self._rows = np.empty(FIRST_ROWS, ROW)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, bar: Bar) -> None:
        """Insert the minute, or replace its row. Minutes mostly come in order: then this appends."""
        length = self._length
        row = _row(bar)
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

    def holds(self, bar: Bar) -> bool:
        """Whether the minute has a row, and the row is this bar's."""
        index = self._place(bar.minute_ns)
        return index < self._length and self._rows[index].item() == _row(bar)

    def rows(self) -> bytes:
        """All rows, as `put_rows` takes them."""
        return self._rows[: self._length].tobytes()

    def put_rows(self, rows: bytes) -> None:
        """Take the rows of another series of the symbol in the place of these, if there are any."""
        more = np.frombuffer(rows, ROW)
        if len(more):
            self._rows = np.concatenate((more, np.empty(max(len(more), FIRST_ROWS), ROW)))
            self._length = len(more)

    def _place(self, minute_ns: int) -> int:
        return int(np.searchsorted(self._rows["minute_ns"][: self._length], minute_ns))

    def _make_room(self) -> None:
        if self._length == len(self._rows):
            grown = np.empty(2 * self._length, ROW)
            grown[: self._length] = self._rows
            self._rows = grown

    def _ints(self, name: str) -> NDArray[np.int64]:
        view: NDArray[np.int64] = self._rows[name][: self._length]
        view.flags.writeable = False
        return view

    def _floats(self, name: str) -> NDArray[np.float64]:
        view: NDArray[np.float64] = self._rows[name][: self._length]
        view.flags.writeable = False
        return view

    @property
    def minute_ns(self) -> NDArray[np.int64]:
        """Start of each minute, ns since the epoch."""
        return self._ints("minute_ns")

    @property
    def open(self) -> NDArray[np.float64]:
        """Opening prices."""
        return self._floats("open")

    @property
    def high(self) -> NDArray[np.float64]:
        """Highest prices."""
        return self._floats("high")

    @property
    def low(self) -> NDArray[np.float64]:
        """Lowest prices."""
        return self._floats("low")

    @property
    def close(self) -> NDArray[np.float64]:
        """Closing prices."""
        return self._floats("close")

    @property
    def volume(self) -> NDArray[np.float64]:
        """Shares."""
        return self._floats("volume")

    @property
    def vwap(self) -> NDArray[np.float64]:
        """Volume-weighted average prices."""
        return self._floats("vwap")

    @property
    def trades(self) -> NDArray[np.int64]:
        """Trades that count for volume."""
        return self._ints("trades")


def _row(bar: Bar) -> tuple[int, float, float, float, float, float, float, int]:
    return bar.minute_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.vwap, bar.trades
