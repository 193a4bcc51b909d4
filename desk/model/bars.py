"""Bars: minutes, with the fields needed to revise them later, and the longer bars made from them."""

from typing import Literal, Self

import msgspec
from msgspec.structs import astuple

from desk.model.timeframes import Timeframe

BarFlag = Literal["complete", "partial", "repaired"]

NO_TIME = -1


class BarFields(msgspec.Struct, array_like=True, gc=False):
    """One symbol's minute, [minute_ns, minute_ns + 60 s) by venue time, labelled by its start.

    `notional` is the sum of price x size over the trades that count for volume. `open_*` and `close_*` identify the
    trades that set open and close: the least and greatest (ts_ns, ordinal) of the eligible trades. A bar whose
    `open_ns` is NO_TIME has volume but no price yet, and no row in bars.parquet.
    """

    symbol: str
    minute_ns: int
    open: float = float("nan")
    high: float = float("-inf")
    low: float = float("inf")
    close: float = float("nan")
    volume: float = 0.0
    notional: float = 0.0
    trades: int = 0
    open_ns: int = NO_TIME
    open_ordinal: int = 0
    close_ns: int = NO_TIME
    close_ordinal: int = 0
    flags: BarFlag = "partial"

    @property
    def timeframe(self) -> Timeframe:
        """The bar's timeframe."""
        return "1m"

    @property
    def priced(self) -> bool:
        """Whether an eligible trade has set a price."""
        return self.open_ns != NO_TIME

    @property
    def vwap(self) -> float:
        """Volume-weighted average price; NaN while nothing counted for volume."""
        return self.notional / self.volume if self.volume else float("nan")


class Bar(BarFields, frozen=True):  # type: ignore[misc]  # msgspec allows it, dataclasses do not
    """A published minute; immutable."""


class LongerBar(Bar, frozen=True):  # type: ignore[misc]  # as above
    """A closed bar of 5 or 15 minutes, an hour or a day, made from the symbol's minutes; immutable.

    `minute_ns` is its start (`desk.bars.session_grid` says where bars start and end). `flags` is that of its worst
    minute. It does not say which trades set open and close: `open_ns` and `close_ns` are its start, the ordinals 0.
    """

    timeframe: Timeframe = "5m"


class WorkingBar(BarFields):
    """A mutable minute into which trades are folded. It is encoded like a `Bar`."""

    @classmethod
    def of(cls, bar: BarFields) -> Self:
        """A working copy."""
        return cls(*astuple(bar))

    def frozen(self) -> Bar:
        """An immutable copy."""
        return Bar(*astuple(self))
