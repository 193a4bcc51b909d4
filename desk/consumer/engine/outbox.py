"""Where strategies, matchers, and minutes write what comes of an item.

Tests: tests/desk/consumer/engine/test_outcome.py
"""

from desk.consumer.engine.outcome import Outcome
from desk.model.bars import WorkingBar
from desk.model.orders import CancelIntent, Intent, Report


class EngineOutbox:
    """Filled while items are applied, and empty between two calls of `Engine.apply`.

    `bars` are the closed minutes that came or changed, by symbol and minute, as they are still worked on.
    """

    __slots__ = ("bars", "intents", "reports")

    def __init__(self) -> None:
        self.intents: list[Intent | CancelIntent] = []
        self.reports: list[Report] = []
        self.bars: dict[tuple[str, int], WorkingBar] = {}

    def empty_into(self, outcome: Outcome) -> None:
        """Hand everything over, the minutes as they are now."""
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
