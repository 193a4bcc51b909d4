"""Where bulk work may run: beside the reader of a feed in one process, or in a process of its own.

    python -m benchmarks.placement [--rate R] [--seconds S] [--call-ms C] [--part session|desk|both] [--plot FILE]

Part "session": a reader takes single messages from a socket, 600 a second by a schedule, and notes their lag: its time
less the message's due time. Bulk work runs in a thread beside it, with the interpreter's usual switch interval of 5 ms
or a short one, or in another process. Its unit is a call of C that holds the interpreter's lock for `--call-ms`, or
plain Python code, which the interpreter can interrupt.

Part "desk": the same load on a desk on Ray, and the bulk work in the producer's process or in an actor of its own.
Lag is the age of the applied ticks.
"""

import argparse
import multiprocessing
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, log10
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final, Literal

import ray
from ray.actor import ActorHandle

from actors.driver.monitor import PRODUCER
from actors.driver.supervisor import Supervisor
from benchmarks import bulk_work, desk_trial
from benchmarks.bulk_work import BulkKind
from benchmarks.desk_trial import DeskOptions
from benchmarks.load import Venue, standard
from benchmarks.plot import Line, Panel, Point, svg
from benchmarks.results import print_results
from benchmarks.trial import Sample, Timing
from desk.model.units import MS_NS, SECOND_NS
from desk.telemetry.histogram import counted_since

MESSAGE_BYTES: Final = 8
SHORT_SWITCH_S: Final = 0.0001
START_S: Final = 60.0
COLOURS: Final = ("#27c", "#283", "#d60", "#a3a", "#c33", "#088")

Place = Literal["none", "thread", "process"]
Placement = Literal["none", "producer", "actor"]


@dataclass(frozen=True)
class Case:
    """One way to run the bulk work beside the reader. `switch_s` is the reader's switch interval."""

    what: str
    place: Place
    kind: BulkKind = "c"
    switch_s: float = 0.005


@dataclass(frozen=True)
class Lags:
    """The result of a case: (seconds since the start, lag in ms), by the second for the plot."""

    what: str
    points: list[Point]
    row: dict[str, Any]


CASES: Final = (
    Case("no bulk work", "none"),
    Case("process of its own, C calls", "process"),
    Case("thread, Python code", "thread", "python"),
    Case("thread, Python code, switch 0.1 ms", "thread", "python", SHORT_SWITCH_S),
    Case("thread, C calls", "thread"),
    Case("thread, C calls, switch 0.1 ms", "thread", "c", SHORT_SWITCH_S),
)
IN_DESK: Final[tuple[tuple[str, Placement], ...]] = (
    ("desk, no bulk work", "none"),
    ("desk, bulk work in an actor of its own", "actor"),
    ("desk, bulk work in the producer's process", "producer"),
)


def in_session(case: Case, rate: float, seconds: float, call_ms: float) -> Lags:
    """Run one case with a reader process, and a process for the bulk work if it has its own."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = socket.socketpair()
    answers, results = spawn.Pipe(duplex=False)
    processes = [spawn.Process(target=read_messages, args=(theirs, results, case, call_ms), daemon=True)]
    if case.place == "process":
        processes.append(spawn.Process(target=bulk_work.run, args=(case.kind, call_ms), daemon=True))
    for process in processes:
        process.start()
    theirs.close()
    try:
        assert answers.poll(START_S), "the reader did not start"
        answers.recv()
        with ours:
            began_ns = send_messages(ours, rate, seconds)
        lags: list[tuple[int, int]] = answers.recv()
    finally:
        for process in processes:
            process.kill()
            process.join()
    at = [((due_ns + lag_ns - began_ns) / SECOND_NS, lag_ns / MS_NS) for due_ns, lag_ns in lags]
    return _summed(case.what, at, seconds)


def send_messages(to: socket.socket, rate: float, seconds: float) -> int:
    """Send the due time of each message (monotonic ns) by the schedule; return the start. Lateness counts as lag."""
    began_ns = time.monotonic_ns()
    for number in range(round(rate * seconds)):
        due_ns = began_ns + round(number * SECOND_NS / rate)
        if (ahead_ns := due_ns - time.monotonic_ns()) > 0:
            time.sleep(ahead_ns / SECOND_NS)
        if time.monotonic_ns() - began_ns > seconds * SECOND_NS:
            break  # the reader is behind, and the socket's buffer is full
        to.sendall(due_ns.to_bytes(MESSAGE_BYTES, "little"))
    return began_ns


def read_messages(messages: socket.socket, results: Any, case: Case, call_ms: float) -> None:
    """Read single messages to the end; report the due time and the lag of each, in ns."""
    sys.setswitchinterval(case.switch_s)
    if case.place == "thread":
        bulk_work.start(case.kind, call_ms)
    results.send("ready")
    lags = []
    with messages:
        while message := messages.recv(MESSAGE_BYTES, socket.MSG_WAITALL):
            due_ns = int.from_bytes(message, "little")
            lags.append((due_ns, time.monotonic_ns() - due_ns))
    results.send(lags)


def in_desk(what: str, place: Placement, rate: float, seconds: float, call_ms: float) -> Lags:
    """Run a desk under the load, with the bulk work at this place from the first sample on."""
    started: list[ActorHandle[Any]] = []

    def place_work(supervisor: Supervisor) -> None:
        if place == "none" or started:
            return
        if place == "producer":
            started.append(supervisor.registry.handles[PRODUCER])
            producer: Any = started[0]
            ray.get(producer.__ray_call__.remote(_start_beside, call_ms))
        else:
            apart: Any = ray.remote(num_cpus=0.1)(BulkActor)
            started.append(apart.remote(call_ms))

    with Venue(standard(rate, single=True)) as venue:
        run = desk_trial.run(venue, DeskOptions(consumers=2), Timing(rate, seconds, warm_s=0.0), place_work)
    return _summed(what, _ages(run.trial.samples), seconds)


class BulkActor:
    """An actor that does the bulk work in its process."""

    def __init__(self, call_ms: float) -> None:
        bulk_work.start("c", call_ms)


def _start_beside(_: object, call_ms: float) -> None:
    bulk_work.start("c", call_ms)


def _ages(samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """The median age of the ticks that were applied between two samples, in ms."""
    ages = []
    for before, now in pairwise(samples):
        age_ns = counted_since(now.reading.age, before.reading.age).quantile(0.5)
        if age_ns is not None:
            ages.append((now.since_s, age_ns / MS_NS))
    return ages


def _summed(what: str, lags: Sequence[tuple[float, float]], seconds: float) -> Lags:
    """The figures of the time of the load; what is read after its end does not count."""
    by_second: dict[int, list[float]] = {}
    for since_s, lag_ms in lags:
        if since_s < seconds:
            by_second.setdefault(int(since_s), []).append(lag_ms)
    points: list[Point] = [(second + 0.5, median(by_second[second])) for second in sorted(by_second)]
    values = [lag_ms for known in by_second.values() for lag_ms in known]
    row = {
        "what": what,
        "p50_ms": round(median(values), 3),
        "p99_ms": round(quantiles(values, n=100)[98], 3),
        "max_ms": round(max(values), 3),
        "at_the_end_ms": round(median(by_second[max(by_second)]), 3),
        "lag_per_minute_s": round((median(by_second[max(by_second)]) - median(by_second[0])) / 1000 * 60 / seconds, 2),
    }
    return Lags(what, points, row)


def plot(parts: Sequence[tuple[str, Sequence[Lags]]], seconds: float) -> str:
    """The lags of each part as a panel of SVG text, over a logarithmic axis of ms."""
    values = [value for _, lags in parts for one in lags for _, value in one.points if value]
    low, high = -2, ceil(log10(max(values)))
    ticks = tuple(10.0**exponent for exponent in range(low, high + 1))
    panels = [
        Panel(
            title,
            tuple(Line(one.what, colour, one.points) for one, colour in zip(lags, COLOURS, strict=False)),
            10.0**low,
            10.0**high,
            ticks,
            log=True,
        )
        for title, lags in parts
    ]
    return svg(panels, seconds, max(round(seconds / 10), 1))


def main() -> None:
    """Measure, print, and plot if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=600.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--call-ms", type=float, default=20.0, help="how long one C call holds the interpreter's lock")
    parser.add_argument("--part", choices=("session", "desk", "both"), default="both")
    parser.add_argument("--plot", type=Path, help="write the lags over time to this SVG file")
    chosen = parser.parse_args()
    load = chosen.rate, chosen.seconds, chosen.call_ms
    parts = []
    if chosen.part != "desk":
        parts.append(("lag of single messages, ms", [in_session(case, *load) for case in CASES]))
    if chosen.part != "session":
        parts.append(("age of the desk's ticks, ms", [in_desk(what, place, *load) for what, place in IN_DESK]))
    if chosen.plot:
        chosen.plot.write_text(plot(parts, chosen.seconds), encoding="utf-8")
    print_results("benchmarks.placement", [one.row for _, lags in parts for one in lags])


if __name__ == "__main__":
    main()
