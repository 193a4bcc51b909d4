"""The results of one call of the order manager, until they are committed and returned.

Tests: tests/desk/orders/test_manager.py
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from desk.model.orders import OrderEvent
from desk.model.records import Decision
from desk.orders.broker_notes import NoteChanges
from desk.trading.risk_gate import Approved


@dataclass(slots=True)
class UnitOfWork:
    """Rows for the ledger, answers for the shards, orders for the venue.

    `given_ns` is the mark at which the call was made. `priced` are the symbols with a last price in the
    request itself.
    """

    given_ns: int
    priced: Mapping[str, float] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    events: list[OrderEvent] = field(default_factory=list)
    answers: list[OrderEvent] = field(default_factory=list)
    approved: list[Approved] = field(default_factory=list)
    canceled: list[str] = field(default_factory=list)
    notes: NoteChanges = field(default_factory=NoteChanges)

    def tell(self, event: OrderEvent) -> None:
        """Add a new event: to the ledger's rows and to the answers."""
        self.events.append(event)
        self.answers.append(event)

    def in_order(self) -> list[OrderEvent]:
        """The answers by symbol and number, including repeated ones.

        In any other order a shard would drop events as below its last number.
        """
        return sorted(self.answers, key=lambda event: (event.symbol, event.number))
