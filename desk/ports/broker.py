"""The broker, for its two callers. It owns the risk gate, the ledger and the order life cycle."""

from collections.abc import Mapping
from typing import Protocol

from desk.model.orders import OrderEvent, Request


class ProducerBroker(Protocol):
    """Calls of the producer, which waits for the result.

    Every call raises LedgerError if the ledger cannot be written, RunFailed if a repeated decision differs from the
    recorded one, and ActorDied if no successor of the broker starts.
    """

    def decide(self, request: Request) -> list[OrderEvent]:
        """Decide the request in canonical order; the events are committed when this returns."""
        ...

    def events_after(self, numbers: Mapping[str, int]) -> list[OrderEvent]:
        """Events of all symbols above these numbers (0 where a symbol is not named), by symbol and number."""
        ...

    def begin_close(self, session_ns: int) -> None:
        """Mark the begin of the close: a resume takes back what follows. A repeated call changes nothing."""
        ...

    def close(self, session_ns: int) -> list[OrderEvent]:
        """End every order that is still open at the end of the session."""
        ...


class ShardBroker(Protocol):
    """Calls of a shard, which does not wait; the broker delivers the events to the producer."""

    def submit(self, request: Request) -> None:
        """Send a request, which is decided in canonical order. Raises the error of an earlier request."""
        ...

    def unanswered(self) -> list[Request]:
        """The submitted requests not known to be decided, oldest first. Raises the error of an earlier request."""
        ...
