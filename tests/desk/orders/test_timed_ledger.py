from collections.abc import Mapping, Sequence

from desk.model.orders import OrderEvent
from desk.model.records import Decision
from desk.orders.timed_ledger import TimedLedger
from desk.telemetry.readings import Readings


class SlowLedger:
    """Each commit takes three seconds of the clock."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.given: list[object] = []

    def record(
        self, decisions: Sequence[Decision], events: Sequence[OrderEvent], notes: Mapping[str, str] | None = None
    ) -> None:
        self.given.append((decisions, events, notes))
        self.now_ns += 3_000_000_000

    def decisions(self) -> list[Decision]:
        return []

    def history(self) -> tuple[list[Decision], list[OrderEvent]]:
        return [], []

    def earlier_loss(self) -> float:
        return 7.0

    def notes(self) -> dict[str, str]:
        return {"a": "b"}


def test_commits_are_timed_and_everything_is_passed_on() -> None:
    slow = SlowLedger()
    ledger = TimedLedger(slow, lambda: slow.now_ns)

    ledger.record([], [], {"n": "x"})
    ledger.record([], [])

    readings = Readings()
    ledger.measure(readings)
    assert slow.given == [([], [], {"n": "x"}), ([], [], None)]
    assert (ledger.notes(), ledger.earlier_loss(), ledger.history(), ledger.decisions()) == (
        {"a": "b"},
        7.0,
        ([], []),
        [],
    )
    assert [(one.metric, one.value, one.labels) for one in readings.values] == [
        ("wait.time", 6.0, {"kind": "commit", "taken": "exact"})
    ]
