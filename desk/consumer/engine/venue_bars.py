"""The venue's own minute bars of one symbol, until they are compared with ours.

Tests: tests/desk/consumer/engine/test_venue_notices.py
"""

from typing import Final

import msgspec

from desk.model.notices import VenueBar
from desk.model.units import MINUTE_NS

KEPT_NS: Final = 15 * MINUTE_NS
"""A bar of a partial minute waits so long for the minute's repair, in the time of later bars."""


class VenueBars(msgspec.Struct, array_like=True):
    """`waiting` are the newest versions by minute, for KEPT_NS; no bar up to `compared_ns` is added any more."""

    waiting: dict[int, VenueBar] = {}
    compared_ns: int = -1

    def take(self, bar: VenueBar) -> bool:
        """Keep a bar in place of an earlier version; False for one that an updated bar has replaced already."""
        known = self.waiting.get(bar.ts_ns)
        if known is not None and known.updated and not bar.updated:
            return False
        if bar.ts_ns > self.compared_ns:
            self.waiting[bar.ts_ns] = bar
            for minute_ns in [minute for minute in self.waiting if minute < bar.ts_ns - KEPT_NS]:
                del self.waiting[minute_ns]
        return True

    def pop(self, minute_ns: int) -> VenueBar | None:
        """Take out the bar of a minute, which is compared now; None without one."""
        bar = self.waiting.pop(minute_ns, None)
        if bar is not None:
            self.compared_ns = max(self.compared_ns, minute_ns)
        return bar
