"""The buffer to which strategies, matchers and bar builders write while an item is applied.

Tests: tests/desk/consumer/engine/test_outcome.py
"""

from desk.consumer.engine.outcome import Outcome
from desk.model.bars import WorkingBar
from desk.model.orders import CancelIntent, Intent, Report


class EngineOutbox:
    """Intents, reports and bars of the items being applied; empty between two calls of `Engine.apply`.

    `bars` are the new and changed closed minutes, by symbol and minute, as mutable bars.
    """

    __slots__ = ("bars", "intents", "reports")

    def __init__(self) -> None:
        self.intents: list[Intent | CancelIntent] = []
        self.reports: list[Report] = []
        self.bars: dict[tuple[str, int], WorkingBar] = {}

    def empty_into(self, outcome: Outcome) -> None:
        """Move everything into `outcome`, with frozen copies of the minutes."""
        if self.intents:
            outcome.intents += self.intents
            self.intents.clear()
        if self.reports:
            outcome.reports += self.reports
            self.reports.clear()
        if self.bars:
            for key, bar in self.bars.items():
                outcome.bars[key] = bar.frozen()
            self.bars.clear()
