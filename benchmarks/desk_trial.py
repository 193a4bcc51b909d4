"""A trial of the desk: venue → producer → consumers on its own Ray cluster, observed through its supervisor."""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from actors.driver.supervisor import Supervisor
from actors.producer import ProducerStats
from benchmarks.load import SYMBOLS, Venue
from benchmarks.processes import Processes
from benchmarks.reading import Reading
from benchmarks.trial import Timing, Trial
from desk.config import Plan
from desk.consumer.shard_stats import ShardStats
from desk.flow.routing_table import RoutingTable
from desk.report.desk_view import DeskView
from desk.report.summary import Summary
from desk.runs import RunFolder

SLOW_SHARD: Final = 0
SUPERVISOR: Final = "supervisor"


@dataclass(frozen=True)
class DeskOptions:
    """The plan keys that benchmarks vary; `strategies` are entries of [[strategies]]."""

    consumers: int = 4
    linger_ms: float = 1.0
    channels: tuple[str, ...] = ("trades",)
    strategies: tuple[dict[str, Any], ...] = ({"use": "benchmarks.strategies:Idle"},)
    rebalance: bool = False
    telemetry: dict[str, Any] = field(default_factory=dict)

    def plan(self, url: str) -> Plan:
        """A plan for all symbols of the venue, with default guards and flow."""
        return Plan.model_validate(
            {
                "session": {"name": "bench", "mode": "paper", "calendar": "24/7"},
                "feed": {"kind": "alpaca", "url": url, "channels": list(self.channels), "symbols": ["*"]},
                "consumers": {
                    "count": self.consumers,
                    "max": max(self.consumers, 8),
                    "cpus": 0.1,
                    "rebalance": self.rebalance,
                },
                "flow": {"linger_ms": self.linger_ms},
                "strategies": list(self.strategies),
                "telemetry": self.telemetry,
            }
        )


def one_slow(consumers: int, busy_us: float) -> tuple[dict[str, Any], ...]:
    """Strategies that take `busy_us` per symbol and second on SLOW_SHARD, and return at once elsewhere."""
    table = RoutingTable.even(range(consumers))
    by_slow: dict[bool, list[str]] = {True: [], False: []}
    for symbol in (f"LD{number:04d}" for number in range(SYMBOLS)):
        by_slow[table.shard_of(symbol) == SLOW_SHARD].append(symbol)
    entries: list[dict[str, Any]] = [
        {"use": "benchmarks.strategies:Idle", "symbols": by_slow[False]},
        {"use": "benchmarks.strategies:Slow", "symbols": by_slow[True], "params": {"busy_us": busy_us}},
    ]
    return tuple(entry for entry in entries if entry["symbols"])


@dataclass(frozen=True)
class DeskRun:
    """A finished trial, with the desk's summary and its producer's notes."""

    trial: Trial
    summary: Summary
    notes: list[str]

    def row(self) -> dict[str, Any]:
        """The trial's figures, and whether the desk's accounts balance."""
        return self.trial.row() | {"balanced": self.summary.balanced}


def run(
    venue: Venue, options: DeskOptions, timing: Timing, on_poll: Callable[[Supervisor], None] = lambda _: None
) -> DeskRun:
    """Run a desk on the venue until the window has passed and the desk has drained. Raises DeskError.

    `on_poll` is called at every poll until the window ends.
    """
    trial = Trial(venue, timing)
    notes: dict[str, None] = {}
    with tempfile.TemporaryDirectory() as parent:
        folder = RunFolder.create(None, Path(parent) / "run", "bench", time.time_ns())
        supervisor = Supervisor(options.plan(venue.url), folder, None)
        processes: list[Processes] = []

        def show(_: DeskView) -> None:
            if not processes:
                names = {pid: name for name, pid in supervisor.pids.items()} | {os.getpid(): SUPERVISOR}
                processes.append(Processes(os.getpid(), names, {venue.pid}))
            notes.update(dict.fromkeys(note.text for note in _producer(supervisor).loop.notes))
            if trial.drained is None:
                on_poll(supervisor)
            if trial.poll(reading_of(_producer(supervisor), _shards(supervisor)), processes[0]):
                supervisor.stop()

        summary = supervisor.run(show)
    return DeskRun(trial, summary, list(notes))


def reading_of(producer: ProducerStats, shards: Sequence[ShardStats]) -> Reading:
    """Sum the stats of producer and shards. Conflated quotes count as dropped: they reached no strategy."""
    parts = [
        Reading(
            0,
            applied=stats.audit.trades + stats.audit.quotes,
            dropped=stats.lane.trades_aged
            + stats.lane.trades_full
            + stats.lane.quotes_full
            + stats.lane.quotes_conflated,
            age=stats.data_latency,
            queue=stats.time_in_queue,
            batches=stats.batches,
        )
        for stats in shards
    ]
    total = Reading.sum(time.time_ns(), parts)
    return Reading(
        total.wall_ns,
        sum(producer.loop.received.values()),
        total.applied,
        total.dropped,
        total.age,
        total.queue,
        total.batches,
    )


def _producer(supervisor: Supervisor) -> ProducerStats:
    stats: ProducerStats = supervisor.stats["producer"]
    return stats


def _shards(supervisor: Supervisor) -> list[ShardStats]:
    return [stats for stats in supervisor.stats.values() if isinstance(stats, ShardStats)]
