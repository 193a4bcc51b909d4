"""The order manager's ledger port: write all results of a call, and read them back."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from desk.model.orders import OrderEvent
from desk.model.records import Decision


class OrderLedger(Protocol):
    """A ledger of decisions, order events, and the manager's notes. A call's writes are committed when it returns."""

    def record(
        self, decisions: Sequence[Decision], events: Sequence[OrderEvent], notes: Mapping[str, str] | None = None
    ) -> None:
        """Write decisions with their verdict, events, and notes by name, in one commit.

        A verdict is "accepted" or "refused: why". Idempotent by client_order_id and by (symbol, event number); a note
        replaces the last of its name. Raises LedgerError.
        """
        ...

    def decisions(self) -> list[Decision]:
        """Every decision with its outcome, by (decision_ns, strategy, symbol, number)."""
        ...

    def history(self) -> tuple[list[Decision], list[OrderEvent]]:
        """Decisions with their verdict, in canonical order; events in the order in which they were recorded."""
        ...

    def earlier_loss(self) -> float:
        """The loss of earlier sessions of the same plan, mode and exchange day, in account currency."""
        ...

    def notes(self) -> dict[str, str]:
        """The last note of each name, in no set order."""
        ...
