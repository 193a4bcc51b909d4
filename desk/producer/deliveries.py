"""Order events on their way from the broker to the lanes of their symbols.

Tests: tests/desk/producer/test_loop.py
"""

from collections import deque
from collections.abc import Iterable

from desk.model.orders import OrderEvent
from desk.ports import ProducerBroker


class Deliveries:
    """Committed order events: those that come by themselves, and those that a dead producer may not have passed on.

    What is returned is to be put into the lanes, and is forgotten here.
    """

    def __init__(self, broker: ProducerBroker) -> None:
        self._broker = broker
        self._inbox: deque[OrderEvent] = deque()
        self._decided: deque[OrderEvent] = deque()

    def take(self, events: Iterable[OrderEvent]) -> None:
        """Take committed order events in. May be called from another thread."""
        self._inbox.extend(events)

    def waiting(self) -> list[OrderEvent]:
        """What has come in, after all that was decided before this producer's time; nothing where nothing came in."""
        if not self._inbox:
            return []
        events = self.due(None)
        while self._inbox:
            events.append(self._inbox.popleft())
        return events

    def request_missing(self, from_ns: int) -> int:
        """Find the order events from this time on that may be lacking somewhere: each gets a place in a lane again.

        A shard that is lost later may come back at any mark from this producer's first one on: so each event goes
        behind the mark at which it was given, as it did the first time; of earlier marks, none is missed in lockstep.
        Shards ignore those that they have. Live, that time does not come again.

        Returns the mark of the last one, 0 without any.
        """
        events = [event for event in self._broker.events_after({}) if event.given_ns >= from_ns]
        self._decided.extend(sorted(events, key=lambda event: event.given_ns))
        return self._decided[-1].given_ns if self._decided else 0

    def due(self, until_ns: int | None) -> list[OrderEvent]:
        """What was decided before this producer's time and given up to this mark, or all of it."""
        events = []
        while self._decided and (until_ns is None or self._decided[0].given_ns <= until_ns):
            events.append(self._decided.popleft())
        return events
