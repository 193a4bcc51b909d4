"""The number of consumers follows the load, and the cluster's nodes follow the consumers: a step up and down, a hover.

    python -m benchmarks.elastic [--low R] [--hover R] [--course-s LOW HIGH BACK HOVER] [--down-delay-s S] [--wait-us U]
                                 [--nodes N] [--node-cpus C] [--figures FOLDER]

A venue plays low, four times low, and low again, then hovers by ±10 % around the rate at which one more consumer would
be needed. The desk follows the venue's clock on a cluster that Ray's autoscaler enlarges; strategies wait on every
trade instead of computing, so that four busy consumers fit on a machine of two cores. The same load is then played to
as many consumers as there may be, all the time: its bars have to be the same, tick for tick.

Trades older than some seconds are not dropped here (`write_timeout_ms`): what the desk cannot do yet has to wait.
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
from benchmarks.autoscaler import AutoscaledCluster, Room
from benchmarks.desk_trial import reading_of
from benchmarks.elastic_plot import picture
from benchmarks.elastic_trace import Moment, Trace
from benchmarks.frame import publish
from benchmarks.load import SYMBOLS, Venue
from benchmarks.varying import Stretch, varying
from desk.config import Plan
from desk.consumer.shard import ShardStats
from desk.local_venue.venue_stats import VenueStats
from desk.report.desk_view import DeskView
from desk.report.summary import Summary
from desk.runs import RunFolder

TIMES: Final = 4
SWAY: Final = 0.1
SWAY_S: Final = 5.0
OBJECTIVE_MS: Final = 50.0
LOOK_EVERY_S: Final = 0.45
SETTLE_S: Final = 20.0
"""The hover begins with a step of its own, from low: so long it is given to be answered."""
TARGET_BUSY: Final = 0.6


@dataclass(frozen=True)
class Course:
    """The load over time, in trades per second: low, TIMES low, low; then it hovers around a rate."""

    low: float
    hover: float
    low_s: float
    high_s: float
    back_s: float
    hover_s: float

    @property
    def stretches(self) -> list[Stretch]:
        """What the venue plays."""
        sways = range(int(self.hover_s / SWAY_S))
        return [
            Stretch(self.low, self.low_s),
            Stretch(TIMES * self.low, self.high_s),
            Stretch(self.low, self.back_s),
            *(Stretch(self.hover * (1 - SWAY if sway % 2 else 1 + SWAY), SWAY_S) for sway in sways),
        ]

    @property
    def begins_s(self) -> tuple[float, float, float, float]:
        """When it is four times, when low again, when it begins to hover, and when it ends."""
        return (
            self.low_s,
            self.low_s + self.high_s,
            self.low_s + self.high_s + self.back_s,
            sum(stretch.seconds for stretch in self.stretches),
        )


@dataclass(frozen=True)
class Staff:
    """Who works it off: `count` consumers, or with 0 as many as the load asks for; each trade keeps one `wait_us`."""

    count: int
    most: int
    wait_us: float
    cpus: float = 1.0
    down_delay_s: float = 60.0

    def plan(self, url: str) -> Plan:
        """On the venue's clock; symbols by name, so that all are watched from the first minute on."""
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
                    "max": self.most,
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
class Played:
    """A run to its end: what was seen on the way, what the venue sent, what the desk made of it."""

    moments: list[Moment] = field(default_factory=list)
    sent: int = 0
    summary: Summary | None = None
    bars: pa.Table | None = None

    def look(self, supervisor: Supervisor, venue: VenueStats) -> None:
        """Take one look, if it is time, while the venue plays."""
        since_s = self.moments[-1].since_s if self.moments else 0.0
        if venue.state != "playing" or venue.elapsed_s - since_s < LOOK_EVERY_S:
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


def play(course: Course, staff: Staff, address: str | None) -> Played:
    """Play the whole course to a desk on the cluster at `address`, or on one of its own. Raises DeskError."""
    played = Played()
    with tempfile.TemporaryDirectory() as parent, Venue(varying(course.stretches, recorded=True)) as venue:
        folder = RunFolder.create(None, Path(parent) / "run", "elastic", time.time_ns())
        supervisor = Supervisor(staff.plan(venue.url), folder, address)

        def show(_: DeskView) -> None:
            played.look(supervisor, venue.stats())

        played.summary = supervisor.run(show)
        played.sent = venue.stop()
        played.bars = pq.read_table(folder.bars)
    return played


def accounts(played: Played) -> dict[str, Any]:
    """Every trade that the venue sent."""
    assert played.summary is not None, "not played yet"
    assert played.bars is not None, "not played yet"
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


def figures(course: Course, played: Played) -> dict[str, Any]:
    """How the desk followed the load."""
    step_s, back_s, hover_s, end_s = course.begins_s
    seen = traces.points(played.moments)
    high, hovering = traces.between(seen, step_s, back_s), traces.between(seen, hover_s + SETTLE_S, end_s)
    quiet = traces.between(seen, back_s, hover_s)
    return {
        "consumers_before": traces.between(seen, 0.0, step_s)[-1].working,
        "consumers_at_four_times": max(point.working for point in high),
        "consumers_after": quiet[-1].working,
        "nodes_at_most": max(point.nodes for point in high),
        "nodes_after": quiet[-1].nodes,
        "asked_for_more_after_s": _first_s(high, step_s, more_than=high[0].wanted),
        "objective_ms": OBJECTIVE_MS,
        "p99_back_within_objective_after_s": traces.recovered_s(seen, OBJECTIVE_MS, step_s, back_s),
        "worst_p99_ms": max(point.queue_p99_ms or 0.0 for point in high),
        "p99_ms_last_20_s_of_four_times": traces.queue_ms(played.moments, back_s - 20.0, back_s, 0.99),
        "p99_ms_hovering": traces.queue_ms(played.moments, hover_s + SETTLE_S, end_s, 0.99),
        "changes_hovering": traces.changes(hovering),
        "consumer_s": round(traces.consumer_s(seen)),
    }


def fixed_figures(course: Course, played: Played) -> dict[str, Any]:
    """The same of consumers that are there all the time, as far as it tells something."""
    _, back_s, hover_s, end_s = course.begins_s
    return {
        "p99_ms_last_20_s_of_four_times": traces.queue_ms(played.moments, back_s - 20.0, back_s, 0.99),
        "p99_ms_hovering": traces.queue_ms(played.moments, hover_s + SETTLE_S, end_s, 0.99),
        "consumer_s": round(traces.consumer_s(traces.points(played.moments))),
    }


def trace(course: Course, played: Played) -> Trace:
    """What can be drawn of a run, and kept."""
    step_s, back_s, hover_s, _ = course.begins_s
    command = f"python -m benchmarks.elastic {' '.join(sys.argv[1:])}".strip()
    return Trace(command, OBJECTIVE_MS, step_s, back_s, hover_s, traces.points(played.moments))


def _first_s(seen: Sequence[traces.Point], step_s: float, more_than: int) -> float | None:
    return next((round(point.since_s - step_s, 1) for point in seen if point.wanted > more_than), None)


def measure(course: Course, room: Room, wait_us: float, down_delay_s: float) -> tuple[list[dict[str, Any]], Trace]:
    """The elastic run, and the one with all consumers from begin to end; a row for each, and the first one's trace."""
    most = room.nodes * room.cpus
    with AutoscaledCluster(room) as cluster:
        elastic = play(course, Staff(0, most, wait_us, down_delay_s=down_delay_s), cluster.address)
    fixed = play(course, Staff(most, most, wait_us), None)
    assert elastic.bars is not None, "not played yet"
    same = elastic.bars.equals(fixed.bars)
    rows = [
        {"what": "elastic", **figures(course, elastic), **accounts(elastic), "same_bars": same},
        {"what": f"{most} consumers", **fixed_figures(course, fixed), **accounts(fixed), "same_bars": same},
    ]
    return rows, trace(course, elastic)


def main() -> None:
    """Measure, print, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--low", type=float, default=3_600.0, help="trades per second before the step")
    parser.add_argument("--hover", type=float, default=9_700.0, help="trades per second around which the load hovers")
    parser.add_argument("--course-s", type=float, nargs=4, default=(15.0, 45.0, 40.0, 60.0), metavar="S")
    parser.add_argument("--down-delay-s", type=float, default=15.0)
    parser.add_argument("--wait-us", type=float, default=100.0, help="what a strategy waits for on each trade")
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--node-cpus", type=int, default=2)
    parser.add_argument("--figures", type=Path, help="folder for elastic.json and elastic.svg")
    options = parser.parse_args()
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    course = Course(options.low, options.hover, *options.course_s)
    room = Room(options.nodes, options.node_cpus)
    rows, kept = measure(course, room, options.wait_us, options.down_delay_s)
    if options.figures is not None:
        options.figures.mkdir(parents=True, exist_ok=True)
        (options.figures / "elastic.json").write_bytes(msgspec.json.format(msgspec.json.encode(kept)))
        (options.figures / "elastic.svg").write_text(picture(kept), encoding="utf-8")
    publish("benchmarks.elastic", rows, times=TIMES, sway=SWAY, wait_us=options.wait_us, target_busy=TARGET_BUSY)


if __name__ == "__main__":
    main()
