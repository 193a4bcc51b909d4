"""The hours of one exchange day."""

from typing import Final

import msgspec


class TradingDay(msgspec.Struct, frozen=True, array_like=True):
    """One day of an exchange, as times in ns since the epoch, UTC.

    `open_ns` to `close_ns` are the regular hours; `start_ns` to `end_ns` include the extended hours before and after
    them. All ends are exclusive.
    """

    start_ns: int
    open_ns: int
    close_ns: int
    end_ns: int


ALWAYS_OPEN: Final = TradingDay(0, 0, 1 << 62, 1 << 62)
"""A day without limits, for code that needs no hours."""
