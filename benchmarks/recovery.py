"""How long a shard is away when its consumer is killed, and what the other shards notice of it.

    python -m benchmarks.recovery [--rate R] [--consumers N] [--kills K] [--calm-s S] [--seed S]

The standard load, live, into a desk on a Ray of its own; kill -9 of one consumer after another. The benchmark asks
every consumer for its stats EVERY_S apart, so no time here is known better than that. From the kill on:

    made        the supervisor has made a successor: the death was noticed
    answers     the successor has answered a first time: it is restored from its checkpoint
    caught_up   between two readings of the successor it took up ticks, none of which had been in queue (received →
                taken up) for more than CAUGHT_UP_MS: its lane holds no more than that, so the backlog is through

`beside` is the time in queue of all ticks that the other shards took up between a kill and its catching up,
`undisturbed` that of all shards between catching up and the next kill, the first SETTLE_S left out.
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
from benchmarks.frame import publish
from benchmarks.load import Venue, standard
from benchmarks.reading import quantiles_ms
from desk.consumer.shard import ShardStats
from desk.model.units import MS_NS
from desk.report.desk_view import DeskView
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.telemetry.histogram import Histogram, HistogramSnapshot, counted_since

EVERY_S: Final = 0.05
CAUGHT_UP_MS: Final = 50.0
SETTLE_S: Final = 0.5
WARM_S: Final = 3.0
PATIENCE_S: Final = 60.0
DRAIN_S: Final = 20.0
QUANTILES: Final = (0.5, 0.95, 1.0)


@dataclass(frozen=True)
class Reading:
    """What one consumer told: which incarnation it was, when its answer was there, its time in queue so far."""

    shard: int
    incarnation: Any
    at_s: float
    queue: HistogramSnapshot
    applied: int


@dataclass
class Recovery:
    """One kill, followed by its readings until the shard has caught up; times in s from the kill."""

    shard: int
    dead: Any
    killed_s: float
    made_s: float | None = None
    answers_s: float | None = None
    caught_up_s: float | None = None
    _last: Reading | None = None

    def made(self, now_s: float) -> None:
        """There is a handle of a successor."""
        if self.made_s is None:
            self.made_s = now_s - self.killed_s

    def see(self, reading: Reading) -> None:
        """Take a reading of any shard in."""
        if reading.shard != self.shard or reading.incarnation is self.dead:
            return
        if self.answers_s is None:
            self.answers_s = reading.at_s - self.killed_s
        if self._last is not None and self._last.incarnation is reading.incarnation:
            longest_ns = counted_since(reading.queue, self._last.queue).quantile(1.0)
            if longest_ns is not None and longest_ns <= CAUGHT_UP_MS * MS_NS:
                self.caught_up_s = reading.at_s - self.killed_s
        self._last = reading


class Consumers:
    """The consumers of a running desk, asked for their stats over and over."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._asked: dict[int, tuple[ActorHandle[Consumer], ObjectRef[ShardStats] | None]] = {}
        self.last: dict[int, Reading] = {}

    def handle(self, shard: int) -> ActorHandle[Consumer]:
        """The incarnation that the supervisor made last."""
        return self._supervisor.registry.handles[consumer_name(shard)]

    def pid(self, shard: int) -> int:
        """Its process, as far as it is known."""
        return self._supervisor.pids[consumer_name(shard)]

    def read(self) -> list[Reading]:
        """Ask whoever has answered, and wait EVERY_S; what came in. Who dies without an answer is asked no more."""
        until_s = time.monotonic() + EVERY_S
        for shard in range(self._supervisor.plan.consumers.count):
            handle = self.handle(shard)
            if shard not in self._asked or self._asked[shard][0] is not handle:
                self._asked[shard] = (handle, call(handle, Consumer.stats))
        found: list[Reading] = []
        while (left_s := until_s - time.monotonic()) > 0:
            refs = {ref: (shard, handle) for shard, (handle, ref) in self._asked.items() if ref is not None}
            if not refs:
                time.sleep(left_s)
                break
            for ref in ray.wait(list(refs), num_returns=1, timeout=left_s)[0]:
                shard, handle = refs[ref]
                self._asked[shard] = (handle, None)
                found += self._answer(shard, handle, ref)
        self._asked = {shard: asked for shard, asked in self._asked.items() if asked[1] is not None}
        self.last |= {reading.shard: reading for reading in found}
        return found

    def _answer(self, shard: int, handle: ActorHandle[Consumer], ref: ObjectRef[ShardStats]) -> list[Reading]:
        try:
            stats = ray.get(ref)
        except RayError:
            return []
        applied = stats.audit.trades + stats.audit.quotes
        return [Reading(shard, handle, time.monotonic(), stats.time_in_queue, applied)]


@dataclass
class Killing:
    """Kills consumers one after another, and sees how they come back."""

    consumers: Consumers
    shards: Sequence[int]
    kills: int
    calm_s: float
    choose: random.Random
    done: list[Recovery] = field(default_factory=list)
    beside: Histogram = field(default_factory=Histogram)
    undisturbed: Histogram = field(default_factory=Histogram)

    def run(self) -> None:
        """Warm up, then kill as often as asked. Raises TimeoutError when a shard does not come back."""
        self._read_for(WARM_S)
        while len(self.done) < self.kills:
            self._read_for(SETTLE_S)
            before = self._queues()
            self._read_for(self.calm_s)
            _add_since(self.undisturbed, self._queues(), before)
            self._kill(self.choose.choice(self.shards))

    def _kill(self, shard: int) -> None:
        consumers = self.consumers
        before = self._queues()
        recovery = Recovery(shard, consumers.handle(shard), time.monotonic())
        os.kill(consumers.pid(shard), signal.SIGKILL)
        while recovery.caught_up_s is None:
            for reading in consumers.read():
                recovery.see(reading)
            if consumers.handle(shard) is not recovery.dead:
                recovery.made(time.monotonic())
            if time.monotonic() - recovery.killed_s > PATIENCE_S:
                raise TimeoutError(f"shard {shard} did not catch up within {PATIENCE_S:g} s of its death")
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
class Outcome:
    """A finished trial: what was seen, what the venue sent, and the desk's own accounts."""

    killing: Killing
    sent: int
    summary: Summary

    def row(self) -> dict[str, Any]:
        """The figures."""
        done = self.killing.done
        return {
            "kills": len(done),
            **_spread_ms("made", [one.made_s for one in done]),
            **_spread_ms("answers", [one.answers_s for one in done]),
            **_spread_ms("caught_up", [one.caught_up_s for one in done]),
            **quantiles_ms("queue_beside", self.killing.beside),
            **quantiles_ms("queue_undisturbed", self.killing.undisturbed),
            "restarts": sum(consumer.restarts for consumer in self.summary.consumers),
            **accounts(self.sent, self.summary),
        }


def accounts(sent: int, summary: Summary) -> dict[str, Any]:
    """Every event that the venue sent: received, and applied or let go by a named cause; or missing."""
    classes = summary.ticks.by_class().values()
    dropped: dict[str, int] = {}
    for counts in classes:
        for cause, ticks in counts.dropped.items():
            dropped[cause] = dropped.get(cause, 0) + ticks
    received = sum(counts.received for counts in classes)
    applied = sum(counts.applied for counts in classes)
    let_go = sum(dropped.values()) + sum(counts.conflated + sum(counts.rejected.values()) for counts in classes)
    return {
        "sent": sent,
        "received": received,
        "applied": applied,
        **{f"dropped_{cause}": ticks for cause, ticks in sorted(dropped.items())},
        "conflated": sum(counts.conflated for counts in classes),
        "missing": sent - applied - let_go,
        "balanced": summary.balanced,
    }


def measure(rate: float, options: DeskOptions, kills: int, calm_s: float, seed: int) -> dict[str, Any]:
    """One trial. Raises DeskError, TimeoutError."""
    with Venue(standard(rate)) as venue, tempfile.TemporaryDirectory() as parent, ThreadPoolExecutor(1) as pool:
        folder = RunFolder.create(None, Path(parent) / "run", "bench", time.time_ns())
        supervisor = Supervisor(options.plan(venue.url), folder, None)
        killing = Killing(Consumers(supervisor), range(options.consumers), kills, calm_s, random.Random(seed))  # noqa: S311
        watched: list[Future[int]] = []

        def watch() -> int:
            try:
                killing.run()
                sent = venue.stop()
                _drain(killing.consumers, sent)
                return sent
            finally:
                supervisor.stop()

        def show(_: DeskView) -> None:
            if not watched:
                watched.append(pool.submit(watch))

        summary = supervisor.run(show)
        outcome = Outcome(killing, watched[0].result(), summary)
    return {"what": f"{rate:,.0f}/s, {options.consumers} consumers", **outcome.row()}


def _drain(consumers: Consumers, sent: int) -> None:
    """Read on until all that was sent is applied, or nothing more is for a while."""
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
    """`name`_p50_ms, p95 and max, by nearest rank."""
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
    parser.add_argument("--seed", type=int, default=1, help="of who is killed")
    chosen = parser.parse_args()
    options = DeskOptions(chosen.consumers)
    publish("benchmarks.recovery", [measure(chosen.rate, options, chosen.kills, chosen.calm_s, chosen.seed)])


if __name__ == "__main__":
    main()
