"""How consumers follow the load, and the cluster's nodes the consumers: a step up, a step down, a hover.

    python -m benchmarks.elastic [--low R] [--hover R] [--course-s LOW HIGH BACK HOVER] [--down-delay-s S] [--wait-us U]
                                 [--nodes N] [--node-cpus C] [--figures FOLDER]

A venue plays the low rate, four times that rate, and the low rate again, then hovers by ±10 % around the rate at which
one more consumer is needed. The desk follows the venue's clock on a cluster that Ray's autoscaler resizes. Strategies
sleep on every trade instead of computing, so that four busy consumers fit on a machine of two cores. The same load is
then played to a fixed number of consumers, the maximum: its bars must be equal.

`write_timeout_ms` is so long that no trade is dropped for its age.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import ray

from actors.driver.supervisor import Supervisor
from actors.producer import ProducerStats
from benchmarks import elastic_trace as traces
from benchmarks.autoscaler import AutoscaledCluster, ClusterSize
from benchmarks.desk_trial import reading_of
from benchmarks.elastic_plot import plot
from benchmarks.elastic_trace import Moment, Trace
from benchmarks.load import SYMBOLS, Venue
from benchmarks.results import print_results
from benchmarks.varying import Stretch, varying
from desk.config import Plan
from desk.consumer.shard_stats import ShardStats
from desk.local_venue.venue_stats import VenueStats
from desk.report.desk_view import DeskView
from desk.report.summary import Summary
from desk.runs import RunFolder

HIGH_FACTOR: Final = 4
HOVER_SHARE: Final = 0.1
HOVER_STEP_S: Final = 5.0
OBJECTIVE_MS: Final = 50.0
POLL_EVERY_S: Final = 0.45
SETTLE_S: Final = 20.0
"""The hover starts with a step up from the low rate: time for the desk to react to that step."""
TARGET_BUSY: Final = 0.6


@dataclass(frozen=True)
class Course:
    """The load over time, in trades per second: low, HIGH_FACTOR low, low; then it hovers around a rate."""

    low: float
    hover: float
    low_s: float
    high_s: float
    back_s: float
    hover_s: float

    @property
    def stretches(self) -> list[Stretch]:
        """The stretches that the venue plays."""
        steps = range(int(self.hover_s / HOVER_STEP_S))
        return [
            Stretch(self.low, self.low_s),
            Stretch(HIGH_FACTOR * self.low, self.high_s),
            Stretch(self.low, self.back_s),
            *(Stretch(self.hover * (1 - HOVER_SHARE if step % 2 else 1 + HOVER_SHARE), HOVER_STEP_S) for step in steps),
        ]

    @property
    def begins_s(self) -> tuple[float, float, float, float]:
        """When the high rate starts, when the low rate returns, when the hover starts, and when it ends."""
        return (
            self.low_s,
            self.low_s + self.high_s,
            self.low_s + self.high_s + self.back_s,
            sum(stretch.seconds for stretch in self.stretches),
        )


@dataclass(frozen=True)
class ConsumerSetup:
    """The desk's consumers: `count`, or with 0 as many as the load needs; a strategy sleeps `wait_us` per trade."""

    count: int
    max_count: int
    wait_us: float
    cpus: float = 1.0
    down_delay_s: float = 60.0

    def plan(self, url: str) -> Plan:
        """A plan on the venue's clock. Symbols are named, so that all are watched from the first minute."""
        return Plan.model_validate(
            {
                "session": {"name": "elastic", "mode": "paper", "clock": "venue", "calendar": "24/7"},
                "feed": {
                    "kind": "alpaca",
                    "url": url,
                    "channels": ["trades"],
                    "symbols": [f"LD{number:04d}" for number in range(SYMBOLS)],
                },
                "consumers": {
                    "count": self.count,
                    "max": self.max_count,
                    "cpus": self.cpus,
                    "target_busy": TARGET_BUSY,
                    "time_in_queue_ms": OBJECTIVE_MS,
                    "down_delay_s": self.down_delay_s,
                },
                "flow": {"linger_ms": 5.0, "capacity": 500_000, "write_timeout_ms": 120_000},
                "guards": {"max_data_latency_s": 300.0, "strategy_budget_ms": 10_000.0},
                "strategies": [{"use": "benchmarks.strategies:WaitsOnTrades", "params": {"wait_us": self.wait_us}}],
            }
        )


@dataclass
class ElasticRun:
    """One run: samples over time, events sent by the venue, and the desk's results."""

    moments: list[Moment] = field(default_factory=list)
    sent: int = 0
    summary: Summary | None = None
    bars: pa.Table | None = None

    def poll(self, supervisor: Supervisor, venue: VenueStats) -> None:
        """Take a sample if one is due and the venue plays."""
        since_s = self.moments[-1].since_s if self.moments else 0.0
        if venue.state != "playing" or venue.elapsed_s - since_s < POLL_EVERY_S:
            return
        producer: ProducerStats = supervisor.stats["producer"]
        shards = [stats for stats in supervisor.stats.values() if isinstance(stats, ShardStats)]
        lanes = {lane.shard for lane in producer.loop.lanes}
        scaler = supervisor.scaler
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray has no types for it
        self.moments.append(
            Moment(
                venue.elapsed_s,
                venue.sent,
                scaler.wanted,
                len(lanes),
                len(set(scaler.awake) - lanes),
                sum(node["Alive"] and "CPU" in node["Resources"] for node in nodes),
                reading_of(producer, shards).queue,
            )
        )


def play(course: Course, setup: ConsumerSetup, address: str | None) -> ElasticRun:
    """Play the whole course to a desk on the cluster at `address`, or on its own. Raises DeskError."""
    played = ElasticRun()
    with tempfile.TemporaryDirectory() as parent, Venue(varying(course.stretches, recorded=True)) as venue:
        folder = RunFolder.create(None, Path(parent) / "run", "elastic", time.time_ns())
        supervisor = Supervisor(setup.plan(venue.url), folder, address)

        def show(_: DeskView) -> None:
            played.poll(supervisor, venue.stats())

        played.summary = supervisor.run(show)
        played.sent = venue.stop()
        played.bars = pq.read_table(folder.bars)
    return played


def accounts(played: ElasticRun) -> dict[str, Any]:
    """The fate of every trade that the venue sent."""
    assert played.summary is not None, "the run has not ended"
    assert played.bars is not None, "the run has not ended"
    trades = played.summary.ticks.trades
    return {
        "sent": played.sent,
        "received": trades.received,
        "applied": trades.applied,
        "lost": played.sent - trades.applied,
        "ok": played.summary.ok,
        "balanced": played.summary.balanced,
        "bars": played.bars.num_rows,
    }


def figures(course: Course, played: ElasticRun) -> dict[str, Any]:
    """How the desk followed the load."""
    step_s, back_s, hover_s, end_s = course.begins_s
    points = traces.points_of(played.moments)
    high, hovering = traces.between(points, step_s, back_s), traces.between(points, hover_s + SETTLE_S, end_s)
    quiet = traces.between(points, back_s, hover_s)
    return {
        "consumers_before": traces.between(points, 0.0, step_s)[-1].working,
        "consumers_at_four_times": max(point.working for point in high),
        "consumers_after": quiet[-1].working,
        "nodes_at_most": max(point.nodes for point in high),
        "nodes_after": quiet[-1].nodes,
        "asked_for_more_after_s": _first_increase_s(high, step_s, more_than=high[0].wanted),
        "objective_ms": OBJECTIVE_MS,
        "p99_back_within_objective_after_s": traces.recovered_s(points, OBJECTIVE_MS, step_s, back_s),
        "worst_p99_ms": max(point.queue_p99_ms or 0.0 for point in high),
        "p99_ms_last_20_s_of_four_times": traces.queue_ms(played.moments, back_s - 20.0, back_s, 0.99),
        "p99_ms_hovering": traces.queue_ms(played.moments, hover_s + SETTLE_S, end_s, 0.99),
        "changes_hovering": traces.changes(hovering),
        "consumer_s": round(traces.consumer_s(points)),
    }


def fixed_figures(course: Course, played: ElasticRun) -> dict[str, Any]:
    """The figures that apply to a fixed number of consumers."""
    _, back_s, hover_s, end_s = course.begins_s
    return {
        "p99_ms_last_20_s_of_four_times": traces.queue_ms(played.moments, back_s - 20.0, back_s, 0.99),
        "p99_ms_hovering": traces.queue_ms(played.moments, hover_s + SETTLE_S, end_s, 0.99),
        "consumer_s": round(traces.consumer_s(traces.points_of(played.moments))),
    }


def trace(course: Course, played: ElasticRun) -> Trace:
    """The run as a trace, for the file and the plot."""
    step_s, back_s, hover_s, _ = course.begins_s
    command = f"python -m benchmarks.elastic {' '.join(sys.argv[1:])}".strip()
    return Trace(command, OBJECTIVE_MS, step_s, back_s, hover_s, traces.points_of(played.moments))


def _first_increase_s(points: Sequence[traces.Point], step_s: float, more_than: int) -> float | None:
    return next((round(point.since_s - step_s, 1) for point in points if point.wanted > more_than), None)


def measure(
    course: Course, size: ClusterSize, wait_us: float, down_delay_s: float
) -> tuple[list[dict[str, Any]], Trace]:
    """Run the elastic desk, then the fixed one; return a row for each, and the elastic run's trace."""
    most = size.nodes * size.cpus
    with AutoscaledCluster(size) as cluster:
        elastic = play(course, ConsumerSetup(0, most, wait_us, down_delay_s=down_delay_s), cluster.address)
    fixed = play(course, ConsumerSetup(most, most, wait_us), None)
    assert elastic.bars is not None, "the run has not ended"
    same = elastic.bars.equals(fixed.bars)
    rows = [
        {"what": "elastic", **figures(course, elastic), **accounts(elastic), "same_bars": same},
        {"what": f"{most} consumers", **fixed_figures(course, fixed), **accounts(fixed), "same_bars": same},
    ]
    return rows, trace(course, elastic)


def main() -> None:
    """Measure, print and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--low", type=float, default=3_600.0, help="trades per second before the step")
    parser.add_argument("--hover", type=float, default=9_700.0, help="trades per second around which the load hovers")
    parser.add_argument("--course-s", type=float, nargs=4, default=(15.0, 45.0, 40.0, 60.0), metavar="S")
    parser.add_argument("--down-delay-s", type=float, default=15.0)
    parser.add_argument("--wait-us", type=float, default=100.0, help="sleep of a strategy per trade")
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--node-cpus", type=int, default=2)
    parser.add_argument("--figures", type=Path, help="folder for elastic.json and elastic.svg")
    options = parser.parse_args()
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    course = Course(options.low, options.hover, *options.course_s)
    size = ClusterSize(options.nodes, options.node_cpus)
    rows, elastic_trace = measure(course, size, options.wait_us, options.down_delay_s)
    if options.figures is not None:
        options.figures.mkdir(parents=True, exist_ok=True)
        (options.figures / "elastic.json").write_bytes(msgspec.json.format(msgspec.json.encode(elastic_trace)))
        (options.figures / "elastic.svg").write_text(plot(elastic_trace), encoding="utf-8")
    print_results(
        "benchmarks.elastic",
        rows,
        times=HIGH_FACTOR,
        sway=HOVER_SHARE,
        wait_us=options.wait_us,
        target_busy=TARGET_BUSY,
    )


if __name__ == "__main__":
    main()
