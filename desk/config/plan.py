"""The tradeplan: what shall run. Attribute names are the TOML keys; units stand in names and descriptions.

Times of day are exchange time, money is in account currency, fractions lie between 0 and 1.
"""

from collections.abc import Iterator
from datetime import date as Date  # noqa: N812  `date` is a key of the plan
from datetime import time
from typing import Annotated, Any, Literal

from pydantic import Field

from desk.config.feed_plan import FeedPlan
from desk.config.kinds import BROKER_KINDS
from desk.config.plan_table import PlanFault, PlanTable
from desk.config.plan_urls import SQLITE_OPTIONS, has_secret, unknown_sqlite_option
from desk.config.telemetry_plan import TelemetryPlan
from desk.config.values import (
    ClassPath,
    DayOrNone,
    LedgerUrl,
    Mic,
    Name,
    StoreUrl,
    Symbols,
    TimeOfDay,
    class_name,
    known,
)

MAX_CONSUMERS = 1024
ALL = "*"


class SessionPlan(PlanTable):
    """[session]: what the run is called, and which clock it lives by."""

    name: Name = Field(description="name of the run; part of every client_order_id and of the run folder's name")
    mode: Literal["replay", "paper", "live"] = Field(
        default="replay",
        description="recorded or made-up market (replay), live market data and simulated orders (paper), or live",
    )
    clock: Literal["real", "venue"] = Field(
        default="real",
        description="clock of session time outside replay: real, or that of a venue that plays a recorded day",
    )
    lockstep: bool = Field(
        default_factory=lambda data: data["mode"] == "replay",
        description="whether shards wait for each other every second, so that decisions repeat exactly (replay only)",
    )
    date: DayOrNone = Field(
        default="", description="the exchange day to play, of a tape with several; empty = the only one"
    )
    start: TimeOfDay = Field(
        default="", description="exchange time at which the session starts; empty = as soon as possible"
    )
    stop: TimeOfDay = Field(
        default="",
        description="exchange time at which the session ends; empty = when the feed or the exchange day ends",
    )
    calendar: Mic = Field(
        default="XNYS",
        description='exchange whose trading days and hours apply, by ISO 10383 code; "24/7" = always open, midnight to '
        "midnight UTC",
    )

    @property
    def day(self) -> Date | None:
        """`date` as a date; None when empty."""
        return Date.fromisoformat(self.date) if self.date else None

    @property
    def start_time(self) -> time | None:
        """`start` as a time of day; None when empty."""
        return time.fromisoformat(self.start) if self.start else None

    @property
    def stop_time(self) -> time | None:
        """`stop` as a time of day; None when empty."""
        return time.fromisoformat(self.stop) if self.stop else None

    def disagreements(self) -> Iterator[PlanFault]:
        if self.lockstep and self.mode != "replay":
            yield PlanFault(
                ("lockstep",),
                f'`true` with mode = "{self.mode}"',
                '`false`, or mode = "replay"',
                "A live market does not wait: leave `lockstep` out.",
            )
        if self.start_time and self.stop_time and self.stop_time <= self.start_time:
            yield PlanFault(
                ("stop",),
                f'`"{self.stop}"`, which is not after start = "{self.start}"',
                "a time of day after `start`",
                "Move `stop` past `start`, or leave one of them empty.",
            )


class ConsumersPlan(PlanTable):
    """[consumers]: how many shards, each in a process of its own."""

    count: int = Field(
        default=0,
        ge=0,
        le=MAX_CONSUMERS,
        description="consumer processes; 0 = as many as the load needs, at first by cores and load average",
    )
    min: int = Field(default=1, ge=1, le=MAX_CONSUMERS, description="fewest consumers when the count is chosen")
    max: int = Field(default=8, ge=1, le=MAX_CONSUMERS, description="most consumers, chosen or fixed")
    cpus: float = Field(default=1.0, gt=0, le=256, description="Ray CPUs that each consumer requires")
    target_busy: float = Field(
        default=0.6, gt=0, le=0.95, description="busy fraction that the number of consumers aims at"
    )
    time_in_queue_ms: float = Field(
        default=50,
        gt=0,
        le=3_600_000,
        description="the 99th percentile of time in queue above which consumers are added, in ms",
    )
    up_delay_s: float = Field(
        default=2.0, ge=0, le=3600, description="how long more consumers must be needed before they are added, in s"
    )
    down_delay_s: float = Field(
        default=60.0, ge=1, le=86_400, description="how long fewer must be enough before any is removed, in s"
    )
    rebalance: bool = Field(
        default=True,
        description="whether symbols move from busy consumers to idle ones; no effect where the feed waits",
    )

    def disagreements(self) -> Iterator[PlanFault]:
        if self.min > self.max:
            yield PlanFault(
                ("min",),
                f"`{self.min}`, which is above max = {self.max}",
                f"a whole number ≤ {self.max}",
                "Lower `min` or raise `max`.",
            )
        if self.count > self.max:
            yield PlanFault(
                ("count",),
                f"`{self.count}`, which is above max = {self.max}",
                f"a whole number ≤ {self.max}",
                "Lower `count` or raise `max`.",
            )


class FlowPlan(PlanTable):
    """[flow]: the lanes between the producer and its consumers."""

    capacity: int = Field(default=50_000, ge=1, le=10_000_000, description="ticks a lane may hold")
    window: int = Field(default=4, ge=1, le=1024, description="batches sent and not yet acknowledged, per lane")
    linger_ms: float = Field(
        default=1.0, ge=0, le=1000, description="least time between two batches while the window is open, in ms"
    )
    write_timeout_ms: float = Field(
        default=1000,
        gt=0,
        le=3_600_000,
        description="how long a trade may wait in a lane before it is dropped, in ms; live feeds",
    )
    lag_threshold: int = Field(
        default_factory=lambda data: data["capacity"] // 2,
        ge=0,
        description="ticks in a lane above which a warning is given; left out: half of `capacity`",
    )
    checkpoint_s: float = Field(default=1.0, gt=0, le=3600, description="time between two checkpoints of a shard, in s")
    retain_mb: float = Field(
        default=64.0,
        gt=0,
        le=65536,
        description="size of a shard's sent batches that are kept until a checkpoint covers them, in MiB",
    )

    def disagreements(self) -> Iterator[PlanFault]:
        if self.lag_threshold > self.capacity:
            yield PlanFault(
                ("lag_threshold",),
                f"`{self.lag_threshold}`, which is above capacity = {self.capacity}",
                f"a whole number ≤ {self.capacity}",
                "A lane never holds more than `capacity`: lower `lag_threshold` or leave it out.",
            )


class GuardsPlan(PlanTable):
    """[guards]: when data is too old to act on, and what strategies may take."""

    feed_timeout_s: float = Field(
        default=5.0,
        ge=0.5,
        le=3600,
        description="silence of a live feed, without data and without an answer to a ping, after which it counts as "
        "down, in s; it is pinged after a third of it, or of `max_data_latency_s` where that is less",
    )
    max_data_latency_s: float = Field(
        default=10.0,
        gt=0,
        le=86_400,
        description="age of the data above which entries are refused, in s; exits stay allowed",
    )
    max_clock_skew_ms: float = Field(
        default=1000.0,
        gt=0,
        le=86_400_000,
        description="offset of the venue's clock against this machine's above which it is an error, in ms",
    )
    strategy_budget_ms: float = Field(
        default=50, gt=0, le=60_000, description="time one call of a strategy may take before it is reported, in ms"
    )
    hang_s: float = Field(
        default=5.0,
        ge=0.1,
        le=3600,
        description="time after which a call of a strategy or scanner hangs, in s; the strategy is stopped for its "
        "symbol, the scanner as a whole",
    )
    memory_mb: float = Field(
        default=4096,
        ge=64,
        le=16_777_216,
        description="memory a consumer, or the scanners, may take beyond what they start with, in MiB; the strategy "
        "that needs more is stopped for its symbol",
    )
    state_mb: float = Field(
        default=16.0,
        gt=0,
        le=1024,
        description="state of a strategy on one symbol, in MiB; a strategy with more is stopped for its symbol",
    )


class RiskPlan(PlanTable):
    """[risk]: limits that every entry must keep; 0 lets none through."""

    max_order_notional: float = Field(
        default=10_000.0, ge=0, description="quantity x price of one order, in account currency"
    )
    max_position_notional: float = Field(
        default=25_000.0, ge=0, description="size of one symbol's position, in account currency"
    )
    max_gross_notional: float = Field(default=100_000.0, ge=0, description="size of all positions, in account currency")
    max_orders_per_minute: int = Field(
        default=60, ge=0, description="orders per minute of session time, over all strategies"
    )
    max_daily_loss: float = Field(
        default=2000.0, ge=0, description="loss of the day at which entries are refused, in account currency"
    )


class BrokerPlan(PlanTable):
    """[broker]: where orders go."""

    kind: Annotated[str, known(BROKER_KINDS)] = Field(
        default="simulated",
        description="the venue that receives the orders",
        json_schema_extra={"enum": list(BROKER_KINDS)},
    )
    slippage_bps: float = Field(
        default=1.0,
        ge=0,
        le=10_000,
        description="how much worse than the quote a simulated fill is, in hundredths of a percent",
    )
    fee_per_share: float = Field(
        default=0.0, ge=0, description="fee of a simulated fill per share, in account currency"
    )


class LedgerPlan(PlanTable):
    """[ledger]: database of decisions, orders and fills."""

    url: LedgerUrl = Field(
        default="sqlite:///{run_dir}/ledger.db",
        description="database of orders and fills; {run_dir} stands for the run folder",
    )

    def disagreements(self) -> Iterator[PlanFault]:
        if has_secret(self.url):
            yield PlanFault(
                ("url",),
                "a URL with a password in it",
                'one without, such as "postgresql+psycopg://user@host/database"',
                "Give it as RAYDESK_LEDGER_PASSWORD, in the environment or as a file of that name under "
                "RAYDESK_SECRETS_DIR.",
            )
        if unknown := unknown_sqlite_option(self.url):
            yield PlanFault(
                ("url",),
                f"`{unknown}` after the `?`, which is no option of SQLite's",
                f"a path without `?`, or options after it: {', '.join(SQLITE_OPTIONS)}",
                "Name a file whose path has no `?`; {run_dir} may stand for one that has.",
            )


class ResultsPlan(PlanTable):
    """[results]: where a run's files are copied once its books are closed."""

    url: StoreUrl = Field(
        default="",
        description='folder of an object store or another file system, such as "s3://bucket/runs", in which the run '
        "gets a folder of its own; empty = the run folder alone",
    )

    def disagreements(self) -> Iterator[PlanFault]:
        if has_secret(self.url):
            yield PlanFault(
                ("url",),
                "a URL with credentials in it",
                'one without, such as "s3://bucket/runs"',
                "Give them where the store's own tools look for them, as docs/how-to/storage.md tells.",
            )


class BarsPlan(PlanTable):
    """[bars]: when a minute counts as closed, and how long it may still change."""

    grace_s: float = Field(
        default=1.0, ge=0, le=3600, description="time after a minute's end at which strategies receive its bar, in s"
    )
    revise_s: float = Field(
        default=900.0,
        ge=0,
        le=86_400,
        description="how long after its end late trades revise a minute, in s; later trades are rejected as `late`",
    )

    def disagreements(self) -> Iterator[PlanFault]:
        if self.revise_s < self.grace_s:
            yield PlanFault(
                ("revise_s",),
                f"`{self.revise_s}`, which is below grace_s = {self.grace_s}",
                f"a number ≥ {self.grace_s}",
                "A minute takes trades at least until its bar is given: raise `revise_s` or lower `grace_s`.",
            )


class ScannerPlan(PlanTable):
    """[[scanners]]: a class that picks symbols out of the whole market."""

    use: ClassPath = Field(description="the scanner's class")
    name: Name = Field(default_factory=class_name, description="unique name of the scanner; left out: the class's name")
    every_s: int = Field(default=60, ge=1, le=86_400, description="session time between two scans, in s")
    max_symbols: int = Field(default=50, ge=1, le=20_000, description="most symbols that it may pick at once")
    params: dict[str, Any] = Field(default_factory=dict, description="the scanner's own parameters")


class StrategyPlan(PlanTable):
    """[[strategies]]: a class that trades, and the symbols it trades."""

    use: ClassPath = Field(description="the strategy's class")
    name: Name = Field(
        default_factory=class_name, description="unique name of the strategy; left out: the class's name"
    )
    scanner: str = Field(
        default="", description="name of the scanner that picks the symbols; empty = those of `symbols`"
    )
    symbols: Symbols = Field(
        default_factory=lambda data: () if data["scanner"] else ("*",),
        description='symbols the strategy trades; ["*"] = all that are subscribed',
    )
    params: dict[str, Any] = Field(default_factory=dict, description="the strategy's own parameters")
    max_orders_per_minute: int = Field(
        default=0,
        ge=0,
        description="entries per minute of session time, over all symbols; exits are not counted; 0 = an equal share "
        "of [risk] max_orders_per_minute",
    )

    def disagreements(self) -> Iterator[PlanFault]:
        if self.scanner and self.symbols:
            yield PlanFault(
                ("symbols",),
                f'`symbols` beside scanner = "{self.scanner}"',
                "one of the two",
                "Leave `symbols` out to trade what the scanner picks, or leave `scanner` out.",
            )
        if not self.scanner and not self.symbols:
            yield PlanFault(
                ("symbols",),
                "an empty list and no `scanner`",
                "at least one symbol, or a `scanner`",
                'Leave `symbols` out to trade all that are subscribed, as symbols = ["*"] does.',
            )


class Plan(PlanTable):
    """A whole tradeplan. Two plans are equal when they would run the same."""

    session: SessionPlan = Field(description="name, mode and times of the run")
    feed: FeedPlan = Field(default_factory=FeedPlan, description="where market data comes from")
    consumers: ConsumersPlan = Field(default_factory=ConsumersPlan, description="how many shards")
    flow: FlowPlan = Field(default_factory=FlowPlan, description="the lanes to the shards")
    guards: GuardsPlan = Field(default_factory=GuardsPlan, description="limits of age and slowness")
    risk: RiskPlan = Field(default_factory=RiskPlan, description="limits of every entry")
    broker: BrokerPlan = Field(default_factory=BrokerPlan, description="where orders go")
    ledger: LedgerPlan = Field(default_factory=LedgerPlan, description="where decisions, orders and fills are recorded")
    results: ResultsPlan = Field(default_factory=ResultsPlan, description="where the run's files are copied")
    bars: BarsPlan = Field(default_factory=BarsPlan, description="when minutes close")
    telemetry: TelemetryPlan = Field(default_factory=TelemetryPlan, description="where metrics and traces go")
    scanners: tuple[ScannerPlan, ...] = Field(default=(), strict=False, description="classes that pick symbols")
    strategies: tuple[StrategyPlan, ...] = Field(default=(), strict=False, description="classes that trade")

    def disagreements(self) -> Iterator[PlanFault]:
        if self.session.mode == "live":
            yield PlanFault(
                ("session", "mode"),
                f'`"live"` with a broker that cannot trade live (broker.kind = "{self.broker.kind}")',
                '"replay" or "paper"',
                'No broker of this release reaches a live venue: set mode = "paper".',
            )
        yield from self._live_feed()
        if self.session.date and not self.feed.has_days:
            yield PlanFault(
                ("session", "date"),
                f'`"{self.session.date}"` with feed.kind = "{self.feed.kind}"',
                "no `date`: only a tape has days to choose from",
                "Leave `date` out; the made-up market's day is [feed.synthetic] date.",
            )
        yield from _repeated("scanners", [scanner.name for scanner in self.scanners])
        yield from _repeated("strategies", [strategy.name for strategy in self.strategies])
        yield from self._missing_scanners()
        yield from self._unsubscribed()

    def unsubscribed(self) -> Iterator[tuple[int, str]]:
        """The strategies, by position, whose symbols [feed] symbols does not have, each with the first of those."""
        for index, strategy in enumerate(self.strategies):
            if ALL in self.feed.symbols or strategy.scanner:
                continue
            if ALL in strategy.symbols:
                missing = [] if self.feed.symbols else [ALL]
            else:
                missing = [symbol for symbol in strategy.symbols if symbol not in self.feed.symbols]
            if missing:
                yield index, missing[0]

    def _unsubscribed(self) -> Iterator[PlanFault]:
        """Without a scanner that could add them, symbols that are not subscribed never tick."""
        if self.scanners:
            return
        for index, symbol in self.unsubscribed():
            if symbol == ALL:
                yield PlanFault(
                    ("feed", "symbols"),
                    "an empty list and no scanner, but a strategy that trades all that are subscribed",
                    "at least one symbol",
                    'Name symbols, or take all with symbols = ["*"].',
                )
                return
            yield PlanFault(
                ("strategies", index, "symbols"),
                f'`"{symbol}"`, which [feed] symbols does not have',
                "symbols that are subscribed",
                f'Add "{symbol}" to [feed] symbols, or take all with symbols = ["*"] there.',
            )

    def _live_feed(self) -> Iterator[PlanFault]:
        live = self.feed.is_live
        if live and self.session.mode == "replay":
            yield PlanFault(
                ("session", "mode"),
                f'`"replay"` with a live feed (feed.kind = "{self.feed.kind}")',
                '"paper"',
                'Set mode = "paper", or replay a tape.',
            )
        if live and self.scanners:
            yield PlanFault(
                ("scanners", 0, "use"),
                f'a scanner with a live feed (feed.kind = "{self.feed.kind}")',
                "no scanners: they need a market that they can see whole, a tape or the synthetic one",
                "Name the symbols in [feed] symbols.",
            )
        if self.session.clock == "venue" and not (live and self.feed.url):
            yield PlanFault(
                ("session", "clock"),
                '`"venue"` without a venue that has a clock of its own',
                '"real", or a live feed with a `url`',
                "Set feed.kind and feed.url to a `desk venue`, or leave `clock` out.",
            )

    def _missing_scanners(self) -> Iterator[PlanFault]:
        names = [scanner.name for scanner in self.scanners]
        known = ", ".join(f'"{name}"' for name in names)
        for index, strategy in enumerate(self.strategies):
            if strategy.scanner and strategy.scanner not in names:
                yield PlanFault(
                    ("strategies", index, "scanner"),
                    f'`"{strategy.scanner}"`, which is no scanner of this plan',
                    f"one of {known}" if known else "the name of a scanner",
                    "Name a scanner of this plan, or add one under [[scanners]].",
                )


def _repeated(table: str, names: list[str]) -> Iterator[PlanFault]:
    for index, name in enumerate(names):
        first = names.index(name)
        if first != index:
            yield PlanFault(
                (table, index, "name"),
                f'`"{name}"`, the name of [[{table}]] #{first + 1} already',
                "a name of its own",
                "Give one of the two another `name`; left out, it is the class's name.",
            )
