"""Checks a feed at frames and marks, and reports its faults in log, live view and summary."""

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
from desk.producer.feed_watch.stale_symbols import StaleState, StaleSymbols
from desk.producer.subscriptions import ALL, Subscriptions
from desk.telemetry import formatting

AHEAD_NS: Final = 60 * MINUTE_NS


class FeedWatchConfig(msgspec.Struct, frozen=True):
    """The feed's name, its delay by design, and the limit of its clock skew; see `[feed]`, `[guards]`.

    `hours` are those of the exchange day; `channels` is the number of the feed's channels of ticks. `has_trades`: they
    include trades, so that their absence means something.
    """

    place: str = "the feed"
    delay_ns: int = 0
    max_clock_skew_ns: int = SECOND_NS
    hours: TradingDay = ALWAYS_OPEN
    channels: int = 2
    has_trades: bool = True


class FeedAges(msgspec.Struct, frozen=True):
    """At a mark: the lag of the last ticks, the age of the oldest tick in a lane, and whether overload bars entries."""

    lag_ns: int
    lane_ns: int = 0
    hold: bool = False


class MarkHealth(NamedTuple):
    """At a mark: how old the feed's data are, whether entries are refused for that, and what to log."""

    lag_ns: int
    degraded: bool
    notes: list[Note]


class FeedReport(msgspec.Struct, array_like=True):
    """The feed at the end of a run, or at one moment of it.

    `up` is always true of a feed that is not live. `ahead` counts trades with a time an hour or more ahead of the
    session. `fault_status` is the exit status of the error that ended the feed in mid-session, 0 without one.
    """

    live: bool = False
    up: bool = True
    reconnects: int = 0
    refused_symbols: list[str] = []
    skew_ns: int = 0
    ahead: int = 0
    warnings: list[str] = []
    problems: list[str] = []
    fault_status: int = 0


class FeedFigures(msgspec.Struct, array_like=True, frozen=True):
    """The feed at one moment, for metrics. `up`: connected, with fresh data; always so of a feed that is no live one.

    `lag_ns` is the age of its last data, `skew_ns` the received less the venue's time of its fastest recent ticks.
    """

    up: bool = True
    reconnects: int = 0
    lag_ns: int = 0
    skew_ns: int = 0


class _State(msgspec.Struct, array_like=True):
    """The state of a `FeedWatch`. It names the silent symbols, because they are few."""

    skew: SkewState
    age: DataAgeState
    ahead: int
    open_s: int
    silent: list[str]
    rejected: int
    mark_ns: int = 0
    stale: StaleState = msgspec.field(default_factory=StaleState)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_State).decode


class FeedWatch:
    """Watches frames and marks: clock skew, age of the data, silent and stale symbols; of a live feed, its connection.

    Events are returned as notes. `state` is the encoded state of an earlier producer's watch. At the last mark, data
    were `lag_ns` old; `is_degraded` says that they were too old for entries, or that a live feed was not fresh.
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
        restored = _decode(state) if state else None
        self.config = config
        self.lag_ns = 0
        self.is_degraded = live is not None
        self._fresh = Freshness()
        self._feed = feed
        self._live = live
        self._subscriptions = subscriptions
        self._skew = SkewMeter(
            config.place, config.max_clock_skew_ns, config.delay_ns, None if restored is None else restored.skew
        )
        self._age = DataAge(config.place, max_data_latency_ns, None if restored is None else restored.age)
        self._ahead = 0 if restored is None else restored.ahead
        self._rejected = 0 if restored is None else restored.rejected
        seen = () if restored is None else set(self._subscribed_by_name()).difference(restored.silent)
        self._silent = SilentSymbols(config.place, 0 if restored is None else restored.open_s, seen)
        self._stale = StaleSymbols(config.place, config.delay_ns, None if restored is None else restored.stale)
        self._mark_ns = 0 if restored is None else restored.mark_ns

    @property
    def stale(self) -> dict[str, int]:
        """The symbols of which the venue has trades that do not come, each with the session time since then."""
        return self._stale.stale

    def met(self, symbols: Iterable[str]) -> None:
        """Record that ticks of these symbols arrived."""
        self._silent.met(symbols)

    def take(self, frame: Frame) -> list[Note]:
        """Check a frame's times; return the feed's notes."""
        fastest_ns = frame.fastest_ns
        if fastest_ns is not None:
            self._skew.take(fastest_ns)
            if fastest_ns - self.config.delay_ns < -AHEAD_NS:
                self._count_ahead(frame)
        return [] if self._live is None else self._feed_notes(self._live)

    def mark(self, mark_ns: int, now_ns: int, ages: FeedAges) -> MarkHealth:
        """Complete a second: check the age and the skew of the feed's data."""
        self._mark_ns = mark_ns
        live = self._live
        pace, self.lag_ns = 1.0, ages.lag_ns
        notes: list[Note] = []
        if live is not None:
            pace = live.pace
            down_from_ns = live.down_from_ns
            notes += self._check_freshness(live.freshness(now_ns), is_down=down_from_ns is not None)
            down_ns = 0 if down_from_ns is None else mark_ns - down_from_ns
            self.lag_ns = max(ages.lag_ns + self._fresh.silent_ns, down_ns)
            hours, data_ns = self.config.hours, mark_ns - self.config.delay_ns
            is_open = hours.open_ns <= data_ns < hours.close_ns and live.is_open(data_ns)
            can_deliver, granted = down_from_ns is None and is_open, self._granted(live)
            notes += self._silent.mark(granted, can_deliver=can_deliver)
            if self.config.has_trades:
                notes += self._stale.mark(mark_ns, live.take_activity(), granted, can_deliver=can_deliver)
                if self._stale.again:
                    live.resubscribe(self._stale.again)
        notes += self._skew.mark(pace)
        notes += self._age.mark(mark_ns, self._age_reading(ages))
        self.is_degraded = self._age.is_old or bool(self._fresh.why)
        return MarkHealth(self.lag_ns, self.is_degraded, notes)

    def end(self) -> list[Note]:
        """Check the skew at the end of the feed; return the last notes."""
        live = self._live
        notes = [] if live is None else self._feed_notes(live)
        return notes + self._skew.end(1.0 if live is None else live.pace)

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
            silent="" if live is None else self._silent.text(self._granted(live)),
            stale=self._stale.problem(self._mark_ns),
            was_stale=self._stale.warning(),
        )
        report.warnings, report.problems = feed_warnings(ending), feed_problems(ending)
        if live is not None and live.fault is not None:
            report.problems.insert(0, str(live.fault))
            report.fault_status = live.fault.exit_status
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
            if live.fault is not None:
                alerts.append(f"the feed has ended: {live.fault.found}")
            elif live.down_why:
                alerts.append(f"feed down for {self._down_s():,.0f} s: {live.down_why}")
            elif self._fresh.why:
                alerts.append(f"{self._fresh.why}: no entries")
            if refused := live.health.refused_symbols:
                alerts.append(f"not granted by the venue: {formatting.names(refused, 5)}")
        if self._skew.is_off:
            alerts.append(f"clock skew {self._skew.skew_ns / SECOND_NS:+,.1f} s")
        if self._age.is_old:
            alerts.append("data too old: no entries")
        return alerts + self._stale.alerts()

    def state(self) -> bytes:
        """The encoded state, for a successor."""
        live = self._live
        silent = [] if live is None else self._silent.silent_among(self._subscribed_by_name())
        ages = self._skew.state, self._age.state
        return _encode(
            _State(*ages, self._ahead, self._silent.open_s, silent, self._rejected, self._mark_ns, self._stale.state)
        )

    def _check_freshness(self, fresh: Freshness, *, is_down: bool) -> list[Note]:
        """Return a note when data stop being fresh; the feed itself notes outages."""
        was_fresh, self._fresh = not self._fresh.why, fresh
        if is_down or not fresh.why or not was_fresh:
            return []
        return [Note(f"{self.config.place}: {fresh.why}: no entries")]

    def _age_reading(self, ages: FeedAges) -> DataAgeReading:
        age_ns = max(self.lag_ns, ages.lane_ns)
        if ages.hold:
            return DataAgeReading(age_ns, "hold by the overload ladder", hold=True)
        return DataAgeReading(age_ns, "lane" if ages.lane_ns > self.lag_ns else self._fresh.why or "feed lag")

    def _feed_notes(self, live: LiveFeed) -> list[Note]:
        """New notes of the feed, and new examples of rejected rows."""
        examples = live.counts.examples
        new = examples[self._rejected :]
        self._rejected = len(examples)
        return [*live.take_notes(), *(Note(f"rejected {example}") for example in new)]

    def _count_ahead(self, frame: Frame) -> None:
        from_ns = frame.session_ns - self.config.delay_ns + AHEAD_NS
        self._ahead += sum(type(tick) is Trade and tick.ts_ns > from_ns for tick in frame.ticks)

    def _subscribed_by_name(self) -> list[str]:
        return [symbol for symbol in self._subscriptions.symbols if symbol != ALL]

    def _granted(self, live: LiveFeed) -> list[str]:
        refused = set(live.health.refused_symbols)
        return [symbol for symbol in self._subscribed_by_name() if symbol not in refused]

    def _down_s(self) -> float:
        from_ns = None if self._live is None else self._live.down_from_ns
        return 0.0 if from_ns is None else max(self._mark_ns - from_ns, 0) / SECOND_NS
