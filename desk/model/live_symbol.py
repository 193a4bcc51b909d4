"""The state of one symbol on a live market, as a venue gives it on request.

Tests: tests/desk/scanning/test_live_view.py
"""

from typing import Final

import msgspec

NAN: Final = float("nan")
NEVER_NS: Final = -1


class SnapshotBar(msgspec.Struct, frozen=True, gc=False):
    """The venue's own bar of a minute or a day that begins at `start_ns`; volume in shares."""

    start_ns: int = NEVER_NS
    open: float = NAN
    high: float = NAN
    low: float = NAN
    close: float = NAN
    volume: float = 0.0
    trades: int = 0


class LiveSymbol(msgspec.Struct, frozen=True, gc=False):
    """The newest print that may set a price, the newest quote, the newest minute with a bar, and the newest daily bar.

    Times are venue times; NEVER_NS where there is none.
    """

    symbol: str
    price: float = NAN
    price_ns: int = NEVER_NS
    bid: float = NAN
    bid_size: float = 0.0
    ask: float = NAN
    ask_size: float = 0.0
    quote_ns: int = NEVER_NS
    minute: SnapshotBar = SnapshotBar()
    day: SnapshotBar = SnapshotBar()
