"""The ledger in memory, with the promises of its port."""

from collections.abc import Mapping, Sequence

from desk.model.errors import LedgerError
from desk.model.orders import OrderEvent
from desk.model.records import Decision


class MemoryLedger:
    """Idempotent by client_order_id and (symbol, event number). `commits` counts writes; with `broken` writes fail."""

    def __init__(self) -> None:
        self.commits = 0
        self.broken = False
        self.verdicts: dict[str, Decision] = {}
        self.events: dict[tuple[str, int], OrderEvent] = {}
        self.texts: dict[str, str] = {}

    def record(
        self, decisions: Sequence[Decision], events: Sequence[OrderEvent], notes: Mapping[str, str] | None = None
    ) -> None:
        if self.broken:
            raise LedgerError("ledger", "the disk is full", remedy="Make room.")
        self.commits += 1
        for decision in decisions:
            self.verdicts.setdefault(decision.intent.client_order_id, decision)
        for event in events:
            self.events.setdefault((event.symbol, event.number), event)
        self.texts |= notes or {}

    def history(self) -> tuple[list[Decision], list[OrderEvent]]:
        return self.decisions(), list(self.events.values())

    def earlier_loss(self) -> float:
        return 0.0

    def notes(self) -> dict[str, str]:
        return dict(self.texts)

    def decisions(self) -> list[Decision]:
        by_place = lambda row: (row.intent.decision_ns, row.intent.strategy, row.intent.symbol, row.intent.number)  # noqa: E731
        return sorted(self.verdicts.values(), key=by_place)
