"""The broker as its two callers see it: behind it stand the risk gate, the ledger and the order lifecycle."""

from collections.abc import Mapping
from typing import Protocol

from desk.model.orders import OrderEvent, Request


class ProducerBroker(Protocol):
    """What the producer asks of the broker, and waits for.

    Every call raises LedgerError where the ledger takes nothing more, RunFailed where a repeated decision differs from
    the recorded one, and ActorDied where no successor of the broker comes.
    """

    def decide(self, request: Request) -> list[OrderEvent]:
        """Decide all of it in canonical order; the events are committed when this returns."""
        ...

    def events_after(self, numbers: Mapping[str, int]) -> list[OrderEvent]:
        """Events of all symbols above these numbers (0 where a symbol is not named), by symbol and number."""
        ...

    def begin_close(self, session_ns: int) -> None:
        """The close of the session begins: what follows is taken back if the run is resumed. A repeat is nothing."""
        ...

    def close(self, session_ns: int) -> list[OrderEvent]:
        """End every order that is still open at the end of the session."""
        ...


class ShardBroker(Protocol):
    """What a shard asks of the broker without waiting; the events come to the producer's lanes by themselves."""

    def submit(self, request: Request) -> None:
        """Have all of it decided in canonical order. Raises the fault of an earlier request."""
        ...

    def unanswered(self) -> list[Request]:
        """What was submitted and is not known to be decided, oldest first. Raises the fault of an earlier request."""
        ...
