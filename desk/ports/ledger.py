"""The book of decisions, orders and fills, as the order manager uses it."""

from collections.abc import Sequence
from typing import Protocol

from desk.model.orders import OrderEvent
from desk.model.records import Decision


class LedgerPort(Protocol):
    """The book of decisions, orders and fills. What a call wrote is committed when it returns."""

    def record(self, decisions: Sequence[Decision], events: Sequence[OrderEvent]) -> None:
        """Write decisions with their verdict ("accepted" or "refused: why") and events in one commit.

        Idempotent by client_order_id and by (symbol, event number). Raises LedgerError.
        """
        ...

    def decisions(self) -> list[Decision]:
        """Every decision with its outcome, by (decision_ns, strategy, symbol, number)."""
        ...
