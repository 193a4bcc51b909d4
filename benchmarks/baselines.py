"""Compare the desk with simpler designs on the same venue, events and bar work, one after the other.

    python -m benchmarks.baselines [--rate R] [--workers N] [--seconds S] [--slow-us U] [--search] [--only NAME ...]

    desk      the desk on its own Ray cluster
    tasks     (a) one process, one asyncio.Queue for each of N worker tasks, one item per event
    batched   (a) with one list per message and worker
    queues    (b) one multiprocessing.Queue for each of N consumer processes, one pickled message per event
    alpaca    (c) alpaca-py's StockDataStream with an async handler that feeds (b)

With `--slow-us` the strategies of one worker take that long per symbol and second (desk, tasks and batched only).
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Final

from benchmarks import desk_trial
from benchmarks.baseline_queues import CAPACITY, consume, read_with_alpaca, read_with_websockets
from benchmarks.baseline_tasks import run_tasks
from benchmarks.baseline_worker import REPORT_NS
from benchmarks.load import Venue, standard
from benchmarks.processes import Processes
from benchmarks.reading import Reading
from benchmarks.results import print_results
from benchmarks.sustained import highest
from benchmarks.trial import Timing, Trial
from desk.model.units import SECOND_NS

START_RATE: Final = {"desk": 256_000, "tasks": 200_000, "batched": 256_000, "queues": 120_000, "alpaca": 30_000}
WITH_SLOW_WORKER: Final = ("desk", "tasks", "batched")


class BaselineProcesses:
    """The processes of one baseline, and the pipes on which they report."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self._context = multiprocessing.get_context("spawn")
        self._pipes: dict[Connection, Reading] = {}
        self._processes: list[Any] = []

    def queue(self) -> Any:
        """Make a bounded queue."""
        return self._context.Queue(CAPACITY)

    def start(self, name: str, target: Callable[..., None], *args: Any) -> None:
        """Run `target(*args, reports)` in a new process."""
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=target, args=(*args, theirs), daemon=True)
        process.start()
        theirs.close()
        assert process.pid is not None
        self._processes.append(process)
        self._pipes[ours] = Reading(0)
        self.names[process.pid] = name

    def reading(self, timeout_s: float) -> Reading:
        """Read reports for `timeout_s`, and return the sum of the latest. Raises EOFError when a process has ended."""
        end_s = time.monotonic() + timeout_s
        while (left_s := end_s - time.monotonic()) > 0:
            for pipe in wait(list(self._pipes), left_s):
                assert isinstance(pipe, Connection)
                self._pipes[pipe] = pipe.recv()
        last = self._pipes.values()
        return Reading.sum(sum(part.wall_ns for part in last) // len(last), last)

    def end(self) -> None:
        """Kill all processes."""
        for process in self._processes:
            process.kill()
            process.join()


@dataclass(frozen=True)
class Comparison:
    """The conditions that all designs share."""

    workers: int
    seconds: float
    single: bool = False
    slow_us: float = 0.0

    def trial(self, name: str, rate: float) -> Trial | None:
        """Run one design at one rate; None if the venue closed the connection of a slow reader (error 407)."""
        with Venue(standard(rate, single=self.single)) as venue:
            timing = Timing(rate, self.seconds)
            if name == "desk":
                return desk_trial.run(venue, self._desk(), timing).trial
            return self._baseline(name, venue, timing)

    def _desk(self) -> desk_trial.DeskOptions:
        if not self.slow_us:
            return desk_trial.DeskOptions(self.workers)
        return desk_trial.DeskOptions(self.workers, strategies=desk_trial.one_slow(self.workers, self.slow_us))

    def _baseline(self, name: str, venue: Venue, timing: Timing) -> Trial | None:
        trial = Trial(venue, timing)
        slow_us = [self.slow_us if worker == desk_trial.SLOW_SHARD else 0.0 for worker in range(self.workers)]
        with ExitStack() as stack:
            started = BaselineProcesses()
            stack.callback(started.end)
            if name in {"tasks", "batched"}:
                started.start("producer", run_tasks, venue.url, slow_us, name == "batched")
            else:
                queues = [started.queue() for _ in slow_us]
                for number, (queue, us) in enumerate(zip(queues, slow_us, strict=True)):
                    started.start(f"consumer-{number:02}", consume, queue, us)
                started.start(
                    "producer", read_with_websockets if name == "queues" else read_with_alpaca, venue.url, queues
                )
            processes = Processes(os.getpid(), started.names | {os.getpid(): "driver"}, {venue.pid})
            try:
                while not trial.poll(started.reading(REPORT_NS / SECOND_NS), processes):
                    pass
            except EOFError:
                if venue.stats().dropped_clients:
                    return None
                raise
        return trial


def measure(names: Sequence[str], comparison: Comparison, rate: float | None, *, search: bool) -> list[dict[str, Any]]:
    """Return a row per design: at `rate`, or with `search` at the highest rate that it sustains."""
    rows = []
    for name in names:
        tried: dict[float, Trial] = {}

        def sustains(at: float, name: str = name, tried: dict[float, Trial] = tried) -> bool:
            trial = comparison.trial(name, at)
            if trial is not None:
                tried[at] = trial
            return trial is not None and not trial.window().failing()

        start = rate or START_RATE[name]
        best = highest(sustains, start) if search else start
        if best not in tried:
            sustains(best or min(tried, default=start))
        what = f"{name}, {best:,.0f}/s"
        shown = tried.get(best) or (tried[min(tried)] if tried else None)
        rows.append({"what": what, **(shown.row() if shown else {"sustained": "hung up by the venue"})})
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, help="rate of every design, or where the search starts")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--slow-us", type=float, default=0.0)
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--only", nargs="+", choices=START_RATE)
    options = parser.parse_args()
    names = options.only or (WITH_SLOW_WORKER if options.slow_us else tuple(START_RATE))
    comparison = Comparison(options.workers, options.seconds, options.single, options.slow_us)
    rows = measure(names, comparison, options.rate, search=options.search)
    print_results("benchmarks.baselines", rows, seconds=options.seconds, slow_us=options.slow_us)


if __name__ == "__main__":
    main()
