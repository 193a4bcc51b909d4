"""What items brought about: what the broker and the keeper have yet to receive of it."""

from collections.abc import Container

import msgspec

from desk.model.bars import Bar
from desk.model.orders import CancelIntent, Intent, Report, Request


class Outcome(msgspec.Struct):
    """Intents and reports for the broker, and bars for the keeper, that are not handed over yet.

    `bars` are the closed minutes that came or changed, by symbol and minute.
    """

    intents: list[Intent | CancelIntent] = []
    reports: list[Report] = []
    bars: dict[tuple[str, int], Bar] = {}

    def take_request(self, prices: dict[str, float], mark_ns: int) -> Request:
        """Hand the broker's share over, as of this mark, with the reference prices of what is held.

        The prices always come along: the risk gate must not know less of a shard that asks for nothing.
        """
        request = Request(self.intents, self.reports, prices, mark_ns)
        self.intents, self.reports = [], []
        return request

    def take_bars(self) -> list[Bar]:
        """Hand the keeper's share over."""
        bars, self.bars = self.bars, {}
        return list(bars.values())

    def take_symbols(self, symbols: Container[str]) -> "Outcome":
        """Hand over everything of these symbols."""
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
        """Hold what another one holds too. Both are of different symbols, or `other` came later."""
        self.intents += other.intents
        self.reports += other.reports
        self.bars |= other.bars
