"""What the reads of a live feed tell of single symbols: which ones traded, and what the venue says beside the ticks.

Tests: tests/desk/venues/alpaca/test_alpaca_notices.py
"""

from desk.model.feed_health import SymbolActivity
from desk.model.notices import NOTICES, TradingStatus, VenueBar
from desk.model.ticks import Event, Trade


class ActivityMeter:
    """Collects symbols and notices from read to read."""

    def __init__(self) -> None:
        self._activity = SymbolActivity()

    def look(self, events: list[Event], read_ns: int) -> None:
        """Note what was read at this session time."""
        activity = self._activity
        activity.read_ns = read_ns
        activity.traded.update([event.symbol for event in events if type(event) is Trade])
        if not NOTICES.isdisjoint(map(type, events)):
            activity.bars += [event for event in events if type(event) is VenueBar]
            activity.statuses += [event for event in events if type(event) is TradingStatus]

    def take(self, up_ns: int) -> SymbolActivity:
        """What was noted since the last call. `up_ns`: see SymbolActivity."""
        taken, self._activity = self._activity, SymbolActivity()
        taken.up_ns = up_ns
        return taken
