"""What the reads of a live feed tell of single symbols: which ones traded, and what the venue says beside the ticks.

Tests: tests/desk/producer/feed_watch/test_stale_symbols.py, tests/desk/venues/alpaca/test_alpaca_notices.py
"""

from desk.model.feed_health import SymbolActivity
from desk.model.notices import NOTICES, TradingStatus, VenueBar
from desk.model.ticks import Event, Trade


class ActivityMeter:
    """Collects symbols and notices from read to read."""

    def __init__(self) -> None:
        self._activity = SymbolActivity()

    def look(self, events: list[Event]) -> None:
        """Note what was read."""
        if not events:
            return
        activity = self._activity
        activity.traded.update([event.symbol for event in events if type(event) is Trade])
        if not NOTICES.isdisjoint(map(type, events)):
            activity.bars += [event for event in events if type(event) is VenueBar]
            activity.statuses += [event for event in events if type(event) is TradingStatus]

    def take(self) -> SymbolActivity:
        """What was noted since the last call."""
        taken, self._activity = self._activity, SymbolActivity()
        return taken
