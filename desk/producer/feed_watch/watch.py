"""Everything that the producer knows about its feed and that people have to know, too."""

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from desk.model.feed_health import FeedHealth, Freshness
from desk.model.hours import ALWAYS_OPEN, TradingDay
from desk.model.notes import Note
from desk.model.ticks import Frame, Trade
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.ports import Feed, LiveFeed
from desk.producer.feed_watch.clock_skew import SkewMeter, SkewState
from desk.producer.feed_watch.data_age import DataAge, DataAgeReading, DataAgeState
from desk.producer.feed_watch.feed_problems import FeedEnd, feed_problems, feed_warnings
from desk.producer.feed_watch.silent_symbols import SilentSymbols
from desk.producer.subscriptions import ALL, Subscriptions
from desk.telemetry import formatting

AHEAD_NS: Final = 60 * MINUTE_NS


class FeedWatchConfig(msgspec.Struct, frozen=True):
    """The feed's name, its delay by design, and the limit of its clock skew; see `[feed]`, `[guards]`.

    `hours` are those of the exchange day, `channels` counts the feed's.
    """

    place: str = "the feed"
    delay_ns: int = 0
    max_clock_skew_ns: int = SECOND_NS
    hours: TradingDay = ALWAYS_OPEN
    channels: int = 2


class FeedAges(msgspec.Struct, frozen=True):
    """At a mark: the lag of the last ticks, the age of the oldest tick in a lane, whether an overload bars entries."""

    lag_ns: int
    lane_ns: int = 0
    hold: bool = False


class MarkHealth(NamedTuple):
    """At a mark: how old the feed's data are, whether that bars entries, and what is to be logged."""

    lag_ns: int
    degraded: bool
    notes: list[Note]


class FeedReport(msgspec.Struct, array_like=True):
    """The feed at the end of a run, or at one moment of it.

    `up` is always so of a feed that is no live one. `ahead` counts trades stamped ahead of the session by an hour or
    more.
    """

    live: bool = False
    up: bool = True
    reconnects: int = 0
    refused_symbols: list[str] = []
    skew_ns: int = 0
    ahead: int = 0
    warnings: list[str] = []
    problems: list[str] = []


class FeedFigures(msgspec.Struct, array_like=True, frozen=True):
    """The feed at one moment, for metrics. `up`: connected, with fresh data; always so of a feed that is no live one.

    `lag_ns` is the age of its last data, `skew_ns` the received less the venue's time of its fastest recent ticks.
    """

    up: bool = True
    reconnects: int = 0
    lag_ns: int = 0
    skew_ns: int = 0


class _State(msgspec.Struct, array_like=True):
    """Everything that a `FeedWatch` knows; of the symbols those that are silent, which are few."""

    skew: SkewState
    age: DataAgeState
    ahead: int
    open_s: int
    silent: list[str]
    rejected: int
    mark_ns: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_State).decode


class FeedWatch:
    """Watches frames and marks: clock skew, age of the data, silent symbols; and of a live feed, its connection.

    Events are returned as notes. `state` is the encoded state of an earlier producer's watch. Of the last mark
    `is_degraded` says that its data were too old to enter on, or that a live feed was not up, and `lag_ns` how old they
    were.
    """

    def __init__(
        self,
        config: FeedWatchConfig,
        max_data_latency_ns: int,
        feed: Feed,
        live: LiveFeed | None,
        subscriptions: Subscriptions,
        state: bytes = b"",
    ) -> None:
        kept = _decode(state) if state else None
        self.config = config
        self.lag_ns = 0
        self.is_degraded = live is not None
        self._fresh = Freshness()
        self._feed = feed
        self._live = live
        self._subscriptions = subscriptions
        self._skew = SkewMeter(
            config.place, config.max_clock_skew_ns, config.delay_ns, None if kept is None else kept.skew
        )
        self._age = DataAge(config.place, max_data_latency_ns, None if kept is None else kept.age)
        self._ahead = 0 if kept is None else kept.ahead
        self._rejected = 0 if kept is None else kept.rejected
        seen = () if kept is None else set(self._named()).difference(kept.silent)
        self._silent = SilentSymbols(config.place, 0 if kept is None else kept.open_s, seen)
        self._mark_ns = 0 if kept is None else kept.mark_ns

    def met(self, symbols: Iterable[str]) -> None:
        """Ticks of these symbols came."""
        self._silent.met(symbols)

    def take(self, frame: Frame) -> list[Note]:
        """Look at a frame's times, and at what the feed has to say."""
        fastest_ns = frame.fastest_ns
        if fastest_ns is not None:
            self._skew.take(fastest_ns)
            if fastest_ns - self.config.delay_ns < -AHEAD_NS:
                self._count_ahead(frame)
        return [] if self._live is None else self._heard(self._live)

    def mark(self, mark_ns: int, now_ns: int, ages: FeedAges) -> MarkHealth:
        """A second is complete: judge the feed's data."""
        self._mark_ns = mark_ns
        live = self._live
        pace, self.lag_ns = 1.0, ages.lag_ns
        notes: list[Note] = []
        if live is not None:
            pace = live.pace
            down_from_ns = live.down_from_ns
            notes += self._look_at_freshness(live.freshness(now_ns), is_down=down_from_ns is not None)
            down_ns = 0 if down_from_ns is None else mark_ns - down_from_ns
            self.lag_ns = max(ages.lag_ns + self._fresh.silent_ns, down_ns)
            hours, data_ns = self.config.hours, mark_ns - self.config.delay_ns
            can_deliver = down_from_ns is None and hours.open_ns <= data_ns < hours.close_ns
            notes += self._silent.mark(self._unrefused(live) if can_deliver else (), can_deliver=can_deliver)
        notes += self._skew.mark(pace)
        notes += self._age.mark(mark_ns, self._oldest(ages))
        self.is_degraded = self._age.is_old or bool(self._fresh.why)
        return MarkHealth(self.lag_ns, self.is_degraded, notes)

    def end(self) -> list[Note]:
        """The feed has ended."""
        live = self._live
        heard = [] if live is None else self._heard(live)
        return heard + self._skew.end(1.0 if live is None else live.pace)

    def report(self) -> FeedReport:
        """Figures, warnings and problems of the feed so far."""
        live, skew = self._live, self._skew
        report = FeedReport(skew_ns=skew.skew_ns, ahead=self._ahead)
        health = FeedHealth()
        if live is not None:
            health = live.health
            report.live, report.up = True, health.up
            report.reconnects, report.refused_symbols = health.reconnects, health.refused_symbols
        ending = FeedEnd(
            self.config.place,
            report.live,
            health,
            sum(self._feed.counts.received.values()),
            sum(self._feed.counts.skipped.values()),
            self._silent.open_s,
            self._down_s(),
            is_old=self._age.is_old,
            skew=skew.problem,
            age=self._age.warning(self._mark_ns),
            silent="" if live is None else self._silent.text(self._unrefused(live)),
        )
        report.warnings, report.problems = feed_warnings(ending), feed_problems(ending)
        return report

    def figures(self) -> FeedFigures:
        """The feed now."""
        live, skew_ns = self._live, self._skew.skew_ns
        if live is None:
            return FeedFigures(lag_ns=self.lag_ns, skew_ns=skew_ns)
        up = live.health.up and not self._fresh.why
        return FeedFigures(up, live.health.reconnects, self.lag_ns, skew_ns)

    def alerts(self) -> list[str]:
        """Current faults, for the live view."""
        alerts, live = [], self._live
        if live is not None:
            if live.down_why:
                alerts.append(f"feed down for {self._down_s():,.0f} s: {live.down_why}")
            elif self._fresh.why:
                alerts.append(f"{self._fresh.why}: no entries")
            if refused := live.health.refused_symbols:
                alerts.append(f"not granted by the venue: {formatting.names(refused, 5)}")
        if self._skew.is_off:
            alerts.append(f"clock skew {self._skew.skew_ns / SECOND_NS:+,.1f} s")
        if self._age.is_old:
            alerts.append("data too old: no entries")
        return alerts

    def state(self) -> bytes:
        """Everything, for a successor."""
        live = self._live
        silent = [] if live is None else self._silent.among(self._named())
        ages = self._skew.state, self._age.state
        return _encode(_State(*ages, self._ahead, self._silent.open_s, silent, self._rejected, self._mark_ns))

    def _look_at_freshness(self, fresh: Freshness, *, is_down: bool) -> list[Note]:
        """Note data that stop to be fresh; what makes an outage is noted by the feed."""
        was_fresh, self._fresh = not self._fresh.why, fresh
        if is_down or not fresh.why or not was_fresh:
            return []
        return [Note(f"{self.config.place}: {fresh.why}: no entries")]

    def _oldest(self, ages: FeedAges) -> DataAgeReading:
        age_ns = max(self.lag_ns, ages.lane_ns)
        if ages.hold:
            return DataAgeReading(age_ns, "hold by the overload ladder", hold=True)
        return DataAgeReading(age_ns, "lane" if ages.lane_ns > self.lag_ns else self._fresh.why or "feed lag")

    def _heard(self, live: LiveFeed) -> list[Note]:
        """Notes of the feed, and the first rows that it rejects."""
        examples = live.counts.examples
        new = examples[self._rejected :]
        self._rejected = len(examples)
        return [*live.take_notes(), *(Note(f"rejected {example}") for example in new)]

    def _count_ahead(self, frame: Frame) -> None:
        from_ns = frame.session_ns - self.config.delay_ns + AHEAD_NS
        self._ahead += sum(type(tick) is Trade and tick.ts_ns > from_ns for tick in frame.ticks)

    def _named(self) -> list[str]:
        return [symbol for symbol in self._subscriptions.symbols if symbol != ALL]

    def _unrefused(self, live: LiveFeed) -> list[str]:
        refused = set(live.health.refused_symbols)
        return [symbol for symbol in self._named() if symbol not in refused]

    def _down_s(self) -> float:
        from_ns = None if self._live is None else self._live.down_from_ns
        return 0.0 if from_ns is None else max(self._mark_ns - from_ns, 0) / SECOND_NS
