"""The meters of an interval: what each process spent its time on between two snapshots, or between two lines of a file.

Tests: tests/desk/report/test_diagnosis.py
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from desk.model.units import SECOND_NS
from desk.report.live_snapshot import LiveSnapshot
from desk.telemetry.histogram import Histogram, HistogramSnapshot, counted_since
from desk.telemetry.readings import Readings

DIGITS: Final = 4
QUANTILES: Final = (0.1, 0.5, 0.9)
NO_HISTOGRAM: Final = HistogramSnapshot()


class ActorInterval(msgspec.Struct, omit_defaults=True):
    """One process. Times in seconds: `waits` by kind, `hops` by hop and part, `strategies` by name and hook.

    `batches` counts batches by hop. `commits` and `slow_calls` are counts. `feed_ages` are the 10 %, 50 % and 90 %
    quantiles of the feed's ages at receipt. `skew` (received - venue time of the fastest ticks) and `connected` are
    those at the end, None where there is no feed. `unmeasured` are the kinds of waiting that the system does not count.
    """

    pid: int = 0
    cpu: float = 0.0
    faults: int = 0
    waits: dict[str, float] = {}
    hops: dict[str, dict[str, float]] = {}
    batches: dict[str, int] = {}
    strategies: dict[str, float] = {}
    commits: int = 0
    slow_calls: int = 0
    feed_ages: list[float] = []
    skew: float | None = None
    connected: bool | None = None
    unmeasured: list[str] = []

    def add(self, later: "ActorInterval") -> None:
        """Add the interval that follows."""
        for name in ("cpu", "faults", "commits", "slow_calls"):
            setattr(self, name, getattr(self, name) + getattr(later, name))
        for own, more in (
            (self.waits, later.waits),
            (self.strategies, later.strategies),
            *((self.hops.setdefault(hop, {}), parts) for hop, parts in later.hops.items()),
        ):
            for key, seconds in more.items():
                own[key] = own.get(key, 0.0) + seconds
        for hop, count in later.batches.items():
            self.batches[hop] = self.batches.get(hop, 0) + count
        for name in ("pid", "feed_ages", "skew", "connected", "unmeasured"):
            if (value := getattr(later, name)) not in (None, [], 0):
                setattr(self, name, value)


class MeterInterval(msgspec.Struct, omit_defaults=True):
    """All processes over `seconds` up to `ended_ns` (wall time)."""

    seconds: float
    ended_ns: int
    actors: dict[str, ActorInterval] = {}

    def add(self, later: "MeterInterval") -> None:
        """Add the interval that follows."""
        self.seconds += later.seconds
        self.ended_ns = later.ended_ns
        for name, actor in later.actors.items():
            self.actors.setdefault(name, ActorInterval()).add(actor)


def interval_between(before: LiveSnapshot, after: LiveSnapshot) -> MeterInterval:
    """The meters from one snapshot to another of the same run; a process that was restarted counts from its start."""
    actors = {name: _actor(before.readings.get(name), now) for name, now in after.readings.items()}
    seconds = round((after.wall_ns - before.wall_ns) / SECOND_NS, DIGITS)
    return MeterInterval(seconds, after.wall_ns, {name: actor for name, actor in actors.items() if actor})


def sum_of(intervals: Iterable[MeterInterval]) -> MeterInterval | None:
    """The sum of consecutive intervals; None of none."""
    total: MeterInterval | None = None
    for one in intervals:
        if total is None:
            total = msgspec.json.decode(msgspec.json.encode(one), type=MeterInterval)
        else:
            total.add(one)
    return total


def _actor(before: Readings | None, now: Readings) -> ActorInterval | None:
    """One process; None if it has not answered since."""
    if before is None or before.started_ns != now.started_ns:
        before = Readings()
    elif before.wall_ns == now.wall_ns:
        return None
    had = {(one.metric, *one.labels.values()): one.value for one in before.values}
    found = ActorInterval(now.pid)
    for one in now.values:
        seconds = round(one.value - had.get((one.metric, *one.labels.values()), 0.0), DIGITS)
        match one.metric:
            case "process.cpu.time":
                found.cpu = round(found.cpu + seconds, DIGITS)
            case "process.paging.faults":
                found.faults = round(seconds)
            case "wait.time" if seconds:
                found.waits[one.labels["kind"]] = seconds
            case "hop.time" if seconds:
                found.hops.setdefault(one.labels["hop"], {})[one.labels["part"]] = seconds
            case "strategy.slow":
                found.slow_calls = round(seconds)
            case "clock.skew":
                found.skew = round(one.value, DIGITS)
            case "feed.connected":
                found.connected = bool(one.value)
    kinds = {one.labels["kind"] for one in now.values if one.metric == "wait.time"}
    found.unmeasured = [kind for kind in ("run_queue", "throttled") if "lock" in kinds and kind not in kinds]
    _add_histograms(found, _histograms(before), _histograms(now))
    return found


def _add_histograms(
    found: ActorInterval,
    before: Mapping[tuple[str, ...], HistogramSnapshot],
    now: Mapping[tuple[str, ...], HistogramSnapshot],
) -> None:
    for key, snapshot in now.items():
        grown = counted_since(snapshot, before.get(key, NO_HISTOGRAM))
        if not grown.count:
            continue
        match key:
            case ("strategy.duration", strategy, hook):
                name = f"{strategy}.{hook}"
                found.strategies[name] = round(grown.sum_ns / SECOND_NS, DIGITS)
            case ("ledger.commit",):
                found.commits = grown.count
            case ("batch.age", hop):
                found.batches[hop] = grown.count
                if hop == "feed":
                    found.feed_ages = _quantiles(grown)


def _histograms(readings: Readings) -> dict[tuple[str, ...], HistogramSnapshot]:
    return {(one.metric, *one.labels.values()): one.histogram for one in readings.histograms}


def _quantiles(histogram: Histogram) -> list[float]:
    return [round((histogram.quantile(q) or 0) / SECOND_NS, DIGITS) for q in QUANTILES]
