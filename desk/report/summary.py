"""The figures of a run: summary.json, field by field."""

from collections.abc import Mapping
from typing import Any, Final, Literal, Self

import msgspec

from desk.config.kinds import FEED_KINDS
from desk.model.plain_text import one_line, problem
from desk.model.ticks import EventClass
from desk.model.units import MS_NS
from desk.telemetry.histogram import Histogram

RECORDED: Final = frozenset({"", *(name for name, kind in FEED_KINDS.items() if not kind.is_live)})
"""Kinds of feeds without a connection; "" in summaries without a kind."""


class ClassCounts(msgspec.Struct):
    """The accounting of one class of ticks; `dropped` and `rejected` by cause.

    `skipped` rows of a tape, of symbols not subscribed, are outside the balance.
    """

    received: int = 0
    backfilled: int = 0
    applied: int = 0
    conflated: int = 0
    dropped: dict[str, int] = {}
    rejected: dict[str, int] = {}
    skipped: int = 0

    @property
    def came(self) -> int:
        """The ticks that arrived: received + backfilled."""
        return self.received + self.backfilled

    @property
    def went(self) -> int:
        """The ticks accounted for: applied + conflated + dropped + rejected."""
        return self.applied + self.conflated + sum(self.dropped.values()) + sum(self.rejected.values())

    @property
    def balanced(self) -> bool:
        """Whether every tick that arrived is accounted for."""
        return self.came == self.went


class TicksSection(msgspec.Struct):
    """The accounting by class."""

    trades: ClassCounts = msgspec.field(default_factory=ClassCounts)
    quotes: ClassCounts = msgspec.field(default_factory=ClassCounts)
    notices: ClassCounts = msgspec.field(default_factory=ClassCounts)

    @property
    def balanced(self) -> bool:
        return all(counts.balanced for counts in self.by_class().values())

    def by_class(self) -> dict[EventClass, ClassCounts]:
        return {"trades": self.trades, "quotes": self.quotes, "notices": self.notices}

    def present(self) -> dict[EventClass, ClassCounts]:
        """The classes to show: notices only if there were any."""
        classes = self.by_class()
        if self.notices == ClassCounts():
            del classes["notices"]
        return classes


class BarDifferenceSection(msgspec.Struct):
    """A field in which a minute differs from the venue's own bar; `field` "bar": we have none, and `ours` is null."""

    symbol: str
    minute_ns: int
    field: str
    ours: float | None
    theirs: float | None


class VenueBarsSection(msgspec.Struct):
    """Our minutes against the venue's own bars: of `compared` minutes `equal` are equal in every field.

    `agreement` is equal / compared, null without any. `differing` counts differences by field, `first` are the first.
    """

    compared: int = 0
    equal: int = 0
    agreement: float | None = None
    differing: dict[str, int] = {}
    first: list[BarDifferenceSection] = []


class RatesSection(msgspec.Struct):
    """Ticks per second of wall time over the whole run."""

    produced: float = 0.0
    consumed: float = 0.0


class Quantiles(msgspec.Struct):
    """A latency in ms."""

    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, histogram: Histogram) -> Self | None:
        """The quantiles of the histogram; None if it is empty."""
        if not histogram.count:
            return None
        return cls(*(round((histogram.quantile(q) or 0) / MS_NS, 3) for q in (0.5, 0.95, 0.99, 1.0)))


class LatencySection(msgspec.Struct):
    """Latencies by name; null if not measured.

    `data_latency` is venue time → applied, null in replay at speed "max", which has no live clock to compare with.
    `time_in_queue` is from entering the lane to the start of processing in the shard; `in_lane` and `on_link` are its
    parts.
    """

    data_latency: Quantiles | None = None
    time_in_queue: Quantiles | None = None
    in_lane: Quantiles | None = None
    on_link: Quantiles | None = None


class GapSection(msgspec.Struct):
    """A period of session time without data, and the number of symbols concerned."""

    from_ns: int
    to_ns: int
    symbols: int
    why: str
    repaired: bool


class ConsumerSection(msgspec.Struct):
    """One shard over the whole run; `busy` is the fraction of wall time it worked, `pid` its last process."""

    shard: int
    pid: int
    node: str = ""
    applied: int = 0
    symbols: int = 0
    busy: float = 0.0
    restarts: int = 0
    cpu_s: float = 0.0
    max_rss_mb: float = 0.0


class ProducerSection(msgspec.Struct):
    """The process that held the market-data connection."""

    pid: int = 0
    cpu_s: float = 0.0
    max_rss_mb: float = 0.0
    reconnects: int = 0


class FeedSection(msgspec.Struct):
    """The feed at the end of the run; `up`: subscribed, or its play was over. A recorded feed is always up.

    `name` is the vendor's stream, `entitlement` what it delivers and how late; both are "" if unknown, or not live.
    `exit_status` is that of an error which ended a subscribed feed, and so the session, early; absent otherwise.
    """

    kind: str = ""
    name: str = ""
    up: bool = True
    reconnects: int = 0
    refused_symbols: list[str] = []
    entitlement: str = ""
    delay_s: float = 0.0
    exit_status: int | msgspec.UnsetType = msgspec.UNSET


class OrdersSection(msgspec.Struct):
    """Orders by outcome; those in `refused_by_risk` never reached the venue; `refused` counts them by rule."""

    submitted: int = 0
    filled: int = 0
    canceled: int = 0
    rejected: int = 0
    refused_by_risk: int = 0
    refused: dict[str, int] = {}


class PnlSection(msgspec.Struct):
    """Profit and loss in account currency; the other two are before fees."""

    realized: float = 0.0
    unrealized: float = 0.0
    fees: float = 0.0

    @property
    def net(self) -> float:
        return self.realized + self.unrealized - self.fees


class Summary(msgspec.Struct, kw_only=True):
    """The figures of one run; `ok` and `balanced` are false before `judged`.

    `failed` is the reason why the run was aborted, and absent otherwise. `warnings` are notable events that are no
    problems, such as the first rejected rows and the first slow calls.
    """

    run_id: str
    plan: str
    mode: Literal["replay", "paper", "live"]
    in_process: bool
    ok: bool = False
    problems: list[str] = []
    started_ns: int
    ended_ns: int
    wall_s: float
    ticks: TicksSection = msgspec.field(default_factory=TicksSection)
    balanced: bool = False
    events_per_s: RatesSection = msgspec.field(default_factory=RatesSection)
    latency_ms: LatencySection = msgspec.field(default_factory=LatencySection)
    warnings: list[str] = []
    gaps: list[GapSection] = []
    consumers: list[ConsumerSection] = []
    producer: ProducerSection = msgspec.field(default_factory=ProducerSection)
    bars: int = 0
    venue_bars: VenueBarsSection = msgspec.field(default_factory=VenueBarsSection)
    decisions: int = 0
    orders: OrdersSection = msgspec.field(default_factory=OrdersSection)
    clock_skew_ms: float = 0.0
    feed: FeedSection = msgspec.field(default_factory=FeedSection)
    pnl: PnlSection = msgspec.field(default_factory=PnlSection)
    failed: bool | msgspec.UnsetType = msgspec.UNSET

    @property
    def had_feed(self) -> bool:
        """Whether a live feed delivered data and was up at the end."""
        received = self.ticks.trades.received + self.ticks.quotes.received
        return self.feed.kind in RECORDED or (self.feed.up and received > 0)

    @property
    def complete(self) -> bool:
        """Whether the run reached its end with its feed and balances, even with problems."""
        return self.balanced and self.had_feed and self.failed is not True

    @property
    def exit_status(self) -> int:
        """0 if the run is complete, 1 if not, or the status of the error that ended its feed."""
        if self.complete:
            return 0
        return 1 if isinstance(self.feed.exit_status, msgspec.UnsetType) else self.feed.exit_status

    def judged(self, *, failed: bool = False) -> Self:
        """A copy of the figures with their verdict.

        Ok if there is no problem, the ticks balance, the run did not fail, and a live feed delivered data.
        """
        balanced = self.ticks.balanced
        return msgspec.structs.replace(
            self,
            balanced=balanced,
            ok=balanced and not failed and not self.problems and self.had_feed,
            failed=True if failed else msgspec.UNSET,
        )

    def builtins(self) -> dict[str, Any]:
        """The content of summary.json; texts are on one line, except tracebacks. `run_id` is the folder's name."""
        figures: dict[str, Any] = _plain(msgspec.to_builtins(self))
        return figures | {"run_id": self.run_id, "problems": [problem(text) for text in self.problems]}

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Self:
        """The summary in summary.json. Raises msgspec.ValidationError for an invalid field."""
        return msgspec.convert(figures, cls)


def _plain(value: Any) -> Any:
    """A copy of tables and lists with every text on one line."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, dict):
        return {one_line(key): _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value
