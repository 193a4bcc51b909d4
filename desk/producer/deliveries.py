"""Order events in transit from the broker to the lanes of their symbols.

Tests: tests/desk/producer/test_loop.py
"""

from collections import deque
from collections.abc import Iterable

import msgspec

from desk.model.orders import OrderEvent, order_number
from desk.ports import ProducerBroker


class Deliveries:
    """Queues committed order events: new ones, and those that a dead producer may not have delivered.

    The caller puts the returned events into the lanes; they leave the queue.
    """

    def __init__(self, broker: ProducerBroker) -> None:
        self._broker = broker
        self._inbox: deque[OrderEvent] = deque()
        self._missing: deque[OrderEvent] = deque()

    def take(self, events: Iterable[OrderEvent]) -> None:
        """Enqueue committed order events."""
        self._inbox.extend(events)

    def waiting(self) -> list[OrderEvent]:
        """Return the new events after all missing ones; nothing if there is no new one."""
        if not self._inbox:
            return []
        events = self.due(None)
        while self._inbox:
            events.append(self._inbox.popleft())
        return events

    def request_missing(self, from_ns: int, *, lossless: bool) -> int:
        """Request from the broker the order events since `from_ns` that a shard may lack, to deliver them again.

        A shard that dies later may be restored at any mark from this producer's first one on. So each event follows
        the same mark as the first time; in lockstep, no event of an earlier mark is missing. Live, marks of the past
        do not return, and `due(None)` delivers all; each event has the number of the last order, which a hook would
        use again else before that order's own event comes. Shards ignore the events that they have.

        Returns the mark of the last event, 0 without any.
        """
        events = [event for event in self._broker.events_after({}) if event.given_ns >= from_ns]
        if not lossless:
            events = _with_last_orders(events)
        self._missing.extend(sorted(events, key=lambda event: event.given_ns))
        return self._missing[-1].given_ns if self._missing else 0

    def due(self, until_ns: int | None) -> list[OrderEvent]:
        """Return the missing events up to this mark; None means all."""
        events = []
        while self._missing and (until_ns is None or self._missing[0].given_ns <= until_ns):
            events.append(self._missing.popleft())
        return events


def _with_last_orders(events: list[OrderEvent]) -> list[OrderEvent]:
    last: dict[tuple[str, str], int] = {}
    for event in events:
        pair = (event.strategy, event.symbol)
        last[pair] = max(last.get(pair, 0), order_number(event.client_order_id))
    return [msgspec.structs.replace(event, last_order=last[event.strategy, event.symbol]) for event in events]
