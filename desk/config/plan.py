"""The tradeplan: the configuration of a run. Attribute names are the TOML keys; names and descriptions state units.

Times of day are exchange time, money is in account currency, fractions lie between 0 and 1.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import Field, model_validator

from desk.config.consumers_plan import ConsumersPlan, FlowPlan, GuardsPlan
from desk.config.feed_plan import FeedPlan
from desk.config.kinds import FEED_KINDS
from desk.config.plan_table import PlanFault, PlanTable
from desk.config.session_plan import BarsPlan, SessionPlan
from desk.config.storage_plan import LedgerPlan, ResultsPlan
from desk.config.tape_plan import TapePlan
from desk.config.telemetry_plan import TelemetryPlan
from desk.config.trading_plan import BrokerPlan, RiskPlan, ScannerPlan, StrategyPlan

ALL = "*"


class Plan(PlanTable):
    """A whole tradeplan. Two plans are equal when they would run the same."""

    @model_validator(mode="before")
    @classmethod
    def _default_calendar(cls, values: Any) -> Any:
        """[session] calendar of a market that is always open, where the plan names none."""
        try:
            calendar = FEED_KINDS[values["feed"]["kind"]].calendar
            session = dict(values["session"])
        except (KeyError, TypeError, ValueError):
            return values
        return {**values, "session": {"calendar": calendar, **session}} if calendar else values

    session: SessionPlan = Field(description="name, mode and times of the run")
    feed: FeedPlan = Field(default_factory=FeedPlan, description="where market data comes from")
    consumers: ConsumersPlan = Field(default_factory=ConsumersPlan, description="number of shards")
    flow: FlowPlan = Field(default_factory=FlowPlan, description="the lanes to the shards")
    guards: GuardsPlan = Field(default_factory=GuardsPlan, description="limits on data age, time and memory")
    risk: RiskPlan = Field(default_factory=RiskPlan, description="limits of every entry")
    broker: BrokerPlan = Field(default_factory=BrokerPlan, description="where orders go")
    ledger: LedgerPlan = Field(default_factory=LedgerPlan, description="where decisions, orders and fills are recorded")
    results: ResultsPlan = Field(default_factory=ResultsPlan, description="where the run's files are copied")
    tape: TapePlan = Field(default_factory=TapePlan, description="whether a live feed is recorded")
    bars: BarsPlan = Field(default_factory=BarsPlan, description="when minutes close")
    telemetry: TelemetryPlan = Field(default_factory=TelemetryPlan, description="where metrics and traces go")
    scanners: tuple[ScannerPlan, ...] = Field(default=(), strict=False, description="classes that pick symbols")
    strategies: tuple[StrategyPlan, ...] = Field(default=(), strict=False, description="classes that trade")

    def conflicts(self) -> Iterator[PlanFault]:
        if self.session.mode == "live":
            yield PlanFault(
                ("session", "mode"),
                f'`"live"` with a broker that cannot trade live (broker.kind = "{self.broker.kind}")',
                '"replay" or "paper"',
                'No broker of this release reaches a live venue: set mode = "paper".',
            )
        yield from self._live_feed_conflicts()
        if self.session.date and not self.feed.has_days:
            yield PlanFault(
                ("session", "date"),
                f'`"{self.session.date}"` with feed.kind = "{self.feed.kind}"',
                "no `date`: only a tape has several days",
                "Leave `date` out. The day of the made-up market is [feed.synthetic] date.",
            )
        yield from _repeated_names("scanners", [scanner.name for scanner in self.scanners])
        yield from _repeated_names("strategies", [strategy.name for strategy in self.strategies])
        yield from self._unknown_scanners()
        yield from self._unsubscribed_conflicts()

    def unsubscribed(self) -> Iterator[tuple[int, str]]:
        """Strategies with symbols that are not in [feed] symbols: index, and the first such symbol."""
        for index, strategy in enumerate(self.strategies):
            if ALL in self.feed.symbols or strategy.scanner:
                continue
            if ALL in strategy.symbols:
                missing = [] if self.feed.symbols else [ALL]
            else:
                missing = [symbol for symbol in strategy.symbols if symbol not in self.feed.symbols]
            if missing:
                yield index, missing[0]

    def _unsubscribed_conflicts(self) -> Iterator[PlanFault]:
        """Reject unsubscribed symbols if no scanner can add them: they would never get a tick."""
        if self.scanners:
            return
        for index, symbol in self.unsubscribed():
            if symbol == ALL:
                yield PlanFault(
                    ("feed", "symbols"),
                    "an empty list and no scanner, but a strategy that trades all subscribed symbols",
                    "at least one symbol",
                    'Name symbols, or take all with symbols = ["*"].',
                )
                return
            yield PlanFault(
                ("strategies", index, "symbols"),
                f'`"{symbol}"`, which is not in [feed] symbols',
                "subscribed symbols",
                f'Add "{symbol}" to [feed] symbols, or take all with symbols = ["*"] there.',
            )

    def _live_feed_conflicts(self) -> Iterator[PlanFault]:
        live = self.feed.is_live
        if live and self.session.mode == "replay":
            yield PlanFault(
                ("session", "mode"),
                f'`"replay"` with a live feed (feed.kind = "{self.feed.kind}")',
                '"paper"',
                'Set mode = "paper", or replay a tape.',
            )
        if live and self.scanners and not self.feed.has_snapshots:
            yield PlanFault(
                ("scanners", 0, "use"),
                f'a scanner with feed.kind = "{self.feed.kind}", whose venue gives no snapshots of its market',
                "no scanners",
                "Name the symbols in [feed] symbols.",
            )
        if self.tape.record and not live:
            yield PlanFault(
                ("tape", "record"),
                f'`true` with feed.kind = "{self.feed.kind}"',
                "false: only a live feed is recorded, the others can be read again",
                "Leave `record` out.",
            )
        if self.session.clock == "venue" and not (live and self.feed.url):
            yield PlanFault(
                ("session", "clock"),
                '`"venue"` without a venue that has its own clock',
                '"real", or a live feed with a `url`',
                "Set feed.kind and feed.url to a `desk venue`, or leave `clock` out.",
            )

    def _unknown_scanners(self) -> Iterator[PlanFault]:
        names = [scanner.name for scanner in self.scanners]
        known = ", ".join(f'"{name}"' for name in names)
        for index, strategy in enumerate(self.strategies):
            if strategy.scanner and strategy.scanner not in names:
                yield PlanFault(
                    ("strategies", index, "scanner"),
                    f'`"{strategy.scanner}"`, which is not a scanner of this plan',
                    f"one of {known}" if known else "the name of a scanner",
                    "Name a scanner of this plan, or add one under [[scanners]].",
                )


def _repeated_names(table: str, names: list[str]) -> Iterator[PlanFault]:
    for index, name in enumerate(names):
        first = names.index(name)
        if first != index:
            yield PlanFault(
                (table, index, "name"),
                f'`"{name}"`, which is already the name of [[{table}]] #{first + 1}',
                "a unique name",
                "Give one of the two another `name`. The default is the class's name.",
            )
