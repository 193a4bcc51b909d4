"""Notices: what a venue reports about a symbol beside its ticks. They come in order with the ticks.

A notice's `ordinal` rises within a symbol, together with those of its ticks; `received_ns` is as in `desk.model.ticks`.

Tests: tests/desk/venues/alpaca/test_alpaca_codec.py
"""

from typing import Final

import msgspec

HALT_CODES: Final = frozenset("HPV2M")
"""Codes of a halt, a pause or a volatility pause: UTP "H", "P"; CTA "2" (halt), "M" (volatility pause), "V" likewise."""


class TradingStatus(msgspec.Struct, frozen=True, array_like=True, tag="h", gc=False):
    """The symbol's trading status from `ts_ns` (venue time) on. `code` and `reason_code` are the venue's own codes."""

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
        """Whether trading is halted or paused."""
        return self.code in HALT_CODES


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
    """The venue's own bar of the minute that begins at `ts_ns`; `updated`: it replaces an earlier one after late trades.

    `volume` is in shares; `vwap` is NaN and `trades` -1 where the venue gives none.
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
