"""The outcome of items: the part that broker and keeper have not received yet."""

from collections.abc import Container

import msgspec

from desk.model.bars import Bar
from desk.model.orders import CancelIntent, Intent, Report, Request


class Outcome(msgspec.Struct):
    """Intents and reports for the broker, and bars for the keeper, that are not handed over yet.

    `bars` are the new and changed closed minutes, by symbol and minute. `traceparent` is the span of the call that made
    the first traced intent.
    """

    intents: list[Intent | CancelIntent] = []
    reports: list[Report] = []
    bars: dict[tuple[str, int], Bar] = {}
    traceparent: str | None = None

    def take_request(self, prices: dict[str, float], mark_ns: int) -> Request:
        """Take out the broker's part as a request of this mark, with the reference prices of open positions.

        The prices are always included: the risk gate needs them from shards without intents, too.
        """
        request = Request(self.intents, self.reports, prices, mark_ns, self.traceparent)
        self.intents, self.reports, self.traceparent = [], [], None
        return request

    def take_bars(self) -> list[Bar]:
        """Take out the bars for the keeper."""
        bars, self.bars = self.bars, {}
        return list(bars.values())

    def take_symbols(self, symbols: Container[str]) -> "Outcome":
        """Take out the outcome of these symbols."""
        taken = Outcome(
            [intent for intent in self.intents if intent.symbol in symbols],
            [report for report in self.reports if report.symbol in symbols],
            {key: bar for key, bar in self.bars.items() if key[0] in symbols},
        )
        self.intents = [intent for intent in self.intents if intent.symbol not in symbols]
        self.reports = [report for report in self.reports if report.symbol not in symbols]
        self.bars = {key: bar for key, bar in self.bars.items() if key[0] not in symbols}
        return taken

    def add(self, other: "Outcome") -> None:
        """Add another outcome, of other symbols or of later items."""
        self.intents += other.intents
        self.reports += other.reports
        self.bars |= other.bars
