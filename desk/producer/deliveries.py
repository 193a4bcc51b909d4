"""Order events on their way from the broker to the lanes of their symbols."""

from collections import deque
from collections.abc import Callable, Iterable

from desk.model.items import Item
from desk.model.orders import OrderEvent
from desk.ports import BrokerDoor
from desk.producer.subscriptions import Subscriptions


class Deliveries:
    """Committed order events: those that come by themselves, and those that a dead producer may not have passed on."""

    def __init__(self, broker: BrokerDoor, subscriptions: Subscriptions, put: Callable[[str, Item], None]) -> None:
        self._broker = broker
        self._subscriptions = subscriptions
        self._put = put
        self._inbox: deque[OrderEvent] = deque()
        self._decided: deque[OrderEvent] = deque()

    def deliver(self, events: Iterable[OrderEvent]) -> None:
        """Take committed order events in. May be called from another thread."""
        self._inbox.extend(events)

    def give(self, events: Iterable[OrderEvent]) -> None:
        """Put events into the lanes of their symbols."""
        for event in events:
            self._subscriptions.on_event(event)
            self._put(event.symbol, event)

    def empty_inbox(self) -> bool:
        """Give what has come in; whether there was anything."""
        events = []
        if self._inbox:
            self.give_decided(None)
        while self._inbox:
            events.append(self._inbox.popleft())
        self.give(events)
        return bool(events)

    def ask_again(self, from_ns: int) -> int:
        """Find the order events from this time on that may be lacking somewhere: each gets a place in a lane again.

        A shard that is lost later may come back at any mark from this producer's first one on: so each event goes
        behind the mark at which it was given, as it did the first time; of earlier marks, none is missed in lockstep.
        Shards ignore those that they have. Live, that time does not come again.

        Returns the mark of the last one, 0 without any.
        """
        events = [event for event in self._broker.events_after({}) if event.given_ns >= from_ns]
        self._decided.extend(sorted(events, key=lambda event: event.given_ns))
        return self._decided[-1].given_ns if self._decided else 0

    def give_decided(self, until_ns: int | None) -> None:
        """Give what was decided before this producer's time and given up to this mark, or all of it."""
        decided = self._decided
        while decided and (until_ns is None or decided[0].given_ns <= until_ns):
            self.give([decided.popleft()])
