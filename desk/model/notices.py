"""Notices: what a venue reports about a symbol beside its ticks. They come in order with the ticks.

A notice's `ordinal` rises within a symbol, together with those of its ticks; `received_ns` is as in `desk.model.ticks`.

Tests: tests/desk/model/test_notices.py
"""

from math import inf
from typing import Final

import msgspec

HALT_CODES: Final = frozenset("HPV2M")
"""Codes of a halt or pause: UTP "H", "P" (volatility pause); CTA "2" (halt), "M", "V" (volatility pause)."""
RESUME_CODES: Final = frozenset("T3")
"""Codes that end a halt: UTP "T" (trading resumption), CTA "3" (resume).

All other codes change nothing, as price indications ("5"), a short sale restriction ("E") and UTP "Q", by which quotes
resume before trading does.
"""


class TradingStatus(msgspec.Struct, frozen=True, array_like=True, tag="h", gc=False):
    """A message of the venue about the symbol's trading, from `ts_ns` (venue time) on.

    `code` and `reason_code` are the venue's own codes. Messages that are neither `halted` nor `resumed` leave a halt
    as it is.
    """

    ordinal: int
    symbol: str
    ts_ns: int
    received_ns: int
    code: str
    message: str = ""
    reason_code: str = ""
    reason: str = ""
    tape: str = ""

    @property
    def halted(self) -> bool:
        """Whether it halts or pauses trading."""
        return self.code in HALT_CODES

    @property
    def resumed(self) -> bool:
        """Whether it resumes trading."""
        return self.code in RESUME_CODES


class PriceBands(msgspec.Struct, frozen=True, array_like=True, tag="b", gc=False):
    """The limits of limit up, limit down: no trade below `down` or above `up` from `ts_ns` (venue time) on."""

    ordinal: int
    symbol: str
    ts_ns: int
    received_ns: int
    down: float
    up: float
    indicator: str = ""
    tape: str = ""


class VenueBar(msgspec.Struct, frozen=True, array_like=True, tag="v", gc=False):
    """The venue's own bar of the minute that begins at `ts_ns`.

    `updated`: it replaces an earlier one after late trades. `volume` is in shares; `vwap` is NaN and `trades` -1 where
    the venue gives none.
    """

    ordinal: int
    symbol: str
    ts_ns: int
    received_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int = -1
    vwap: float = float("nan")
    updated: bool = False


Notice = TradingStatus | PriceBands | VenueBar
NOTICES: Final = frozenset({TradingStatus, PriceBands, VenueBar})


def notice_fault(notice: Notice) -> str:
    """The cause for which a notice is rejected, apart from its time and symbol; "" if it is sound.

    "code": a status without one. "price": bands that are not finite, negative or crossed, a bar without positive finite
    prices. "size": a bar whose volume is negative or not finite.
    """
    if isinstance(notice, TradingStatus):
        return "" if notice.code else "code"
    if isinstance(notice, PriceBands):
        return "" if 0.0 <= notice.down <= notice.up < inf else "price"
    if not all(0.0 < price < inf for price in (notice.open, notice.high, notice.low, notice.close)):
        return "price"
    return "" if 0.0 <= notice.volume < inf else "size"
