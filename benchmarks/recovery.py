"""How long a shard is down after its consumer is killed, and the effect on the other shards.

    python -m benchmarks.recovery [--rate R] [--consumers N] [--kills K] [--calm-s S] [--seed S]

The desk runs on its own Ray cluster under the standard live load, while one consumer after another gets SIGKILL.
Every consumer is polled each POLL_S, which is the precision of all times. Times count from the kill:

    made        the supervisor has created a successor: the death was detected
    answers     the successor has answered its first poll: it is restored from its checkpoint
    caught_up   the successor applied ticks between two polls, and none had been in queue (received → taken by the
                shard) for more than CAUGHT_UP_MS: the backlog is gone

`queue_beside` is the time in queue at the other shards between a kill and its recovery. `queue_undisturbed` is that of
all shards between a recovery and the next kill, without the first SETTLE_S.
"""

import argparse
import math
import os
import random
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import ray
from ray import ObjectRef
from ray.actor import ActorHandle
from ray.exceptions import RayError

from actors.calls.handles import call
from actors.calls.peers import consumer_name
from actors.consumer import Consumer
from actors.driver.supervisor import Supervisor
from benchmarks.desk_trial import DeskOptions
from benchmarks.load import Venue, standard
from benchmarks.reading import quantiles_ms
from benchmarks.results import print_results
from desk.consumer.shard_stats import ShardStats
from desk.model.units import MS_NS
from desk.report.desk_view import DeskView
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.telemetry.histogram import Histogram, HistogramSnapshot, counted_since

POLL_S: Final = 0.05
CAUGHT_UP_MS: Final = 50.0
SETTLE_S: Final = 0.5
WARM_S: Final = 3.0
TIMEOUT_S: Final = 60.0
DRAIN_S: Final = 20.0
QUANTILES: Final = (0.5, 0.95, 1.0)


@dataclass(frozen=True)
class ConsumerReading:
    """One consumer's answer to a poll: its incarnation, when it arrived, and its running totals."""

    shard: int
    incarnation: Any
    at_s: float
    queue: HistogramSnapshot
    applied: int


@dataclass
class Recovery:
    """The recovery from one kill; times in seconds since the kill."""

    shard: int
    dead: Any
    killed_s: float
    made_s: float | None = None
    answers_s: float | None = None
    caught_up_s: float | None = None
    _last: ConsumerReading | None = None

    def on_successor(self, now_s: float) -> None:
        """Record that the supervisor has created a successor."""
        if self.made_s is None:
            self.made_s = now_s - self.killed_s

    def on_reading(self, reading: ConsumerReading) -> None:
        """Record a reading; those of other shards and of the dead incarnation are ignored."""
        if reading.shard != self.shard or reading.incarnation is self.dead:
            return
        if self.answers_s is None:
            self.answers_s = reading.at_s - self.killed_s
        if self._last is not None and self._last.incarnation is reading.incarnation:
            longest_ns = counted_since(reading.queue, self._last.queue).quantile(1.0)
            if longest_ns is not None and longest_ns <= CAUGHT_UP_MS * MS_NS:
                self.caught_up_s = reading.at_s - self.killed_s
        self._last = reading


class ConsumerPoller:
    """Polls the consumers of a running desk for their stats."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._pending: dict[int, tuple[ActorHandle[Consumer], ObjectRef[ShardStats] | None]] = {}
        self.last: dict[int, ConsumerReading] = {}

    def handle(self, shard: int) -> ActorHandle[Consumer]:
        """The newest incarnation that the supervisor created."""
        return self._supervisor.registry.handles[consumer_name(shard)]

    def pid(self, shard: int) -> int:
        """The consumer's process id."""
        return self._supervisor.pids[consumer_name(shard)]

    def read(self) -> list[ConsumerReading]:
        """Poll consumers without a pending call, wait POLL_S, and return the answers; failed calls are dropped."""
        until_s = time.monotonic() + POLL_S
        for shard in range(self._supervisor.plan.consumers.count):
            handle = self.handle(shard)
            if shard not in self._pending or self._pending[shard][0] is not handle:
                self._pending[shard] = (handle, call(handle, Consumer.stats))
        found: list[ConsumerReading] = []
        while (left_s := until_s - time.monotonic()) > 0:
            refs = {ref: (shard, handle) for shard, (handle, ref) in self._pending.items() if ref is not None}
            if not refs:
                time.sleep(left_s)
                break
            for ref in ray.wait(list(refs), num_returns=1, timeout=left_s)[0]:
                shard, handle = refs[ref]
                self._pending[shard] = (handle, None)
                found += self._answer(shard, handle, ref)
        self._pending = {shard: pending for shard, pending in self._pending.items() if pending[1] is not None}
        self.last |= {reading.shard: reading for reading in found}
        return found

    def _answer(self, shard: int, handle: ActorHandle[Consumer], ref: ObjectRef[ShardStats]) -> list[ConsumerReading]:
        try:
            stats = ray.get(ref)
        except RayError:
            return []
        applied = stats.audit.trades + stats.audit.quotes
        return [ConsumerReading(shard, handle, time.monotonic(), stats.time_in_queue, applied)]


@dataclass
class KillTrial:
    """Kills consumers one after another, and records each recovery."""

    consumers: ConsumerPoller
    shards: Sequence[int]
    kills: int
    calm_s: float
    rng: random.Random
    done: list[Recovery] = field(default_factory=list)
    beside: Histogram = field(default_factory=Histogram)
    undisturbed: Histogram = field(default_factory=Histogram)

    def run(self) -> None:
        """Warm up, then kill `kills` consumers. Raises TimeoutError if a shard does not catch up."""
        self._read_for(WARM_S)
        while len(self.done) < self.kills:
            self._read_for(SETTLE_S)
            before = self._queues()
            self._read_for(self.calm_s)
            _add_since(self.undisturbed, self._queues(), before)
            self._kill(self.rng.choice(self.shards))

    def _kill(self, shard: int) -> None:
        consumers = self.consumers
        before = self._queues()
        recovery = Recovery(shard, consumers.handle(shard), time.monotonic())
        os.kill(consumers.pid(shard), signal.SIGKILL)
        while recovery.caught_up_s is None:
            for reading in consumers.read():
                recovery.on_reading(reading)
            if consumers.handle(shard) is not recovery.dead:
                recovery.on_successor(time.monotonic())
            if time.monotonic() - recovery.killed_s > TIMEOUT_S:
                raise TimeoutError(f"shard {shard} did not catch up within {TIMEOUT_S:g} s of its death")
        before.pop(shard)
        _add_since(self.beside, self._queues(), before)
        self.done.append(recovery)

    def _queues(self) -> dict[int, HistogramSnapshot]:
        return {shard: reading.queue for shard, reading in self.consumers.last.items()}

    def _read_for(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s or len(self.consumers.last) < len(self.shards):
            self.consumers.read()


@dataclass(frozen=True)
class TrialResult:
    """A finished trial, the number of events that the venue sent, and the desk's summary."""

    trial: KillTrial
    sent: int
    summary: Summary

    def row(self) -> dict[str, Any]:
        """The trial's figures."""
        done = self.trial.done
        return {
            "kills": len(done),
            **_spread_ms("made", [one.made_s for one in done]),
            **_spread_ms("answers", [one.answers_s for one in done]),
            **_spread_ms("caught_up", [one.caught_up_s for one in done]),
            **quantiles_ms("queue_beside", self.trial.beside),
            **quantiles_ms("queue_undisturbed", self.trial.undisturbed),
            "restarts": sum(consumer.restarts for consumer in self.summary.consumers),
            **accounts(self.sent, self.summary),
        }


def accounts(sent: int, summary: Summary) -> dict[str, Any]:
    """The fate of every event that the venue sent: applied, conflated, dropped or rejected by cause, or missing."""
    classes = summary.ticks.by_class().values()
    dropped: dict[str, int] = {}
    for counts in classes:
        for cause, ticks in counts.dropped.items():
            dropped[cause] = dropped.get(cause, 0) + ticks
    received = sum(counts.received for counts in classes)
    applied = sum(counts.applied for counts in classes)
    explained = sum(dropped.values()) + sum(counts.conflated + sum(counts.rejected.values()) for counts in classes)
    return {
        "sent": sent,
        "received": received,
        "applied": applied,
        **{f"dropped_{cause}": ticks for cause, ticks in sorted(dropped.items())},
        "conflated": sum(counts.conflated for counts in classes),
        "missing": sent - applied - explained,
        "balanced": summary.balanced,
    }


def measure(rate: float, options: DeskOptions, kills: int, calm_s: float, seed: int) -> dict[str, Any]:
    """Run one trial. Raises DeskError, TimeoutError."""
    with Venue(standard(rate)) as venue, tempfile.TemporaryDirectory() as parent, ThreadPoolExecutor(1) as pool:
        folder = RunFolder.create(None, Path(parent) / "run", "bench", time.time_ns())
        supervisor = Supervisor(options.plan(venue.url), folder, None)
        trial = KillTrial(ConsumerPoller(supervisor), range(options.consumers), kills, calm_s, random.Random(seed))  # noqa: S311
        watched: list[Future[int]] = []

        def watch() -> int:
            try:
                trial.run()
                sent = venue.stop()
                _drain(trial.consumers, sent)
                return sent
            finally:
                supervisor.stop()

        def show(_: DeskView) -> None:
            if not watched:
                watched.append(pool.submit(watch))

        summary = supervisor.run(show)
        result = TrialResult(trial, watched[0].result(), summary)
    return {"what": f"{rate:,.0f}/s, {options.consumers} consumers", **result.row()}


def _drain(consumers: ConsumerPoller, sent: int) -> None:
    """Poll until all events sent are applied, or until the count stands still for SETTLE_S."""
    applied, moved_s = -1, time.monotonic()
    end_s = moved_s + DRAIN_S
    while applied < sent and time.monotonic() < min(end_s, moved_s + SETTLE_S):
        consumers.read()
        now = sum(reading.applied for reading in consumers.last.values())
        if now != applied:
            applied, moved_s = now, time.monotonic()


def _add_since(
    histogram: Histogram, now: Mapping[int, HistogramSnapshot], before: Mapping[int, HistogramSnapshot]
) -> None:
    for shard, queue in before.items():
        histogram.merge(counted_since(now[shard], queue))


def _spread_ms(name: str, seconds: Sequence[float | None]) -> dict[str, float | None]:
    """The quantiles by nearest rank, as `name`_p50_ms, p95 and max."""
    known = sorted(value for value in seconds if value is not None)
    found: dict[str, float | None] = {}
    for q in QUANTILES:
        label = "max" if q == 1.0 else f"p{100 * q:.0f}"
        found[f"{name}_{label}_ms"] = round(1000 * known[math.ceil(q * len(known)) - 1]) if known else None
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=50_000.0)
    parser.add_argument("--consumers", type=int, default=4)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--calm-s", type=float, default=3.0, help="between catching up and the next kill")
    parser.add_argument("--seed", type=int, default=1, help="for the order of kills")
    chosen = parser.parse_args()
    options = DeskOptions(chosen.consumers)
    print_results("benchmarks.recovery", [measure(chosen.rate, options, chosen.kills, chosen.calm_s, chosen.seed)])


if __name__ == "__main__":
    main()
