"""The desk beside what one would write without it: same venue, same events, same bar work, one after the other.

    python -m benchmarks.baselines [--rate R] [--workers N] [--seconds S] [--slow-us U] [--search] [--only NAME ...]

    desk      the desk on a Ray of its own
    tasks     (a) one process, an asyncio.Queue for each of N worker tasks, one item per event
    batched   (a) with one list per message and worker, which the design allows and few write
    queues    (b) a multiprocessing.Queue for each of N consumer processes, one pickled message per event
    alpaca    (c) alpaca-py's StockDataStream with an async handler that feeds (b)

With `--slow-us` one of the workers' strategies take that long on each symbol and second (tasks, batched, desk).
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
from benchmarks.baseline_queues import CAPACITY, consume, read_plainly, read_with_alpaca
from benchmarks.baseline_tasks import run_tasks
from benchmarks.baseline_worker import REPORT_NS
from benchmarks.frame import publish
from benchmarks.load import Venue, standard
from benchmarks.processes import Processes
from benchmarks.reading import Reading
from benchmarks.sustained import highest
from benchmarks.trial import Timing, Trial
from desk.model.units import SECOND_NS

START_RATE: Final = {"desk": 256_000, "tasks": 200_000, "batched": 256_000, "queues": 120_000, "alpaca": 30_000}
SLOW_TOO: Final = ("desk", "tasks", "batched")


class Parts:
    """The processes of one baseline and the pipes on which they report; ended by their ids."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self._context = multiprocessing.get_context("spawn")
        self._pipes: dict[Connection, Reading] = {}
        self._processes: list[Any] = []

    def queue(self) -> Any:
        """A bounded queue."""
        return self._context.Queue(CAPACITY)

    def start(self, name: str, target: Callable[..., None], *args: Any) -> None:
        """Run `target(*args, reports)` in a process of its own."""
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=target, args=(*args, theirs), daemon=True)
        process.start()
        theirs.close()
        assert process.pid is not None
        self._processes.append(process)
        self._pipes[ours] = Reading(0)
        self.names[process.pid] = name

    def reading(self, timeout_s: float) -> Reading:
        """What they told last, together, after waiting for news. Raises EOFError when one of them is gone."""
        end_s = time.monotonic() + timeout_s
        while (left_s := end_s - time.monotonic()) > 0:
            for pipe in wait(list(self._pipes), left_s):
                assert isinstance(pipe, Connection)
                self._pipes[pipe] = pipe.recv()
        told = self._pipes.values()
        return Reading.sum(sum(part.wall_ns for part in told) // len(told), told)

    def end(self) -> None:
        """End all of them."""
        for process in self._processes:
            process.kill()
            process.join()


@dataclass(frozen=True)
class Contest:
    """What all take part in."""

    workers: int
    seconds: float
    single: bool = False
    slow_us: float = 0.0

    def trial(self, name: str, rate: float) -> Trial | None:
        """One of them at one rate; None when the venue hung up on it because it read too slowly (error 407)."""
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
            parts = Parts()
            stack.callback(parts.end)
            if name in {"tasks", "batched"}:
                parts.start("producer", run_tasks, venue.url, slow_us, name == "batched")
            else:
                queues = [parts.queue() for _ in slow_us]
                for number, (queue, us) in enumerate(zip(queues, slow_us, strict=True)):
                    parts.start(f"consumer-{number:02}", consume, queue, us)
                parts.start("producer", read_plainly if name == "queues" else read_with_alpaca, venue.url, queues)
            processes = Processes(os.getpid(), parts.names | {os.getpid(): "driver"}, {venue.pid})
            try:
                while not trial.look(parts.reading(REPORT_NS / SECOND_NS), processes):
                    pass
            except EOFError:
                if venue.stats().dropped_clients:
                    return None
                raise
        return trial


def measure(names: Sequence[str], contest: Contest, rate: float | None, *, search: bool) -> list[dict[str, Any]]:
    """A row for each at the rate; with `search` at the highest rate that each of them sustains."""
    rows = []
    for name in names:
        tried: dict[float, Trial] = {}

        def sustains(at: float, name: str = name, tried: dict[float, Trial] = tried) -> bool:
            trial = contest.trial(name, at)
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
    parser.add_argument("--rate", type=float, help="the rate of all, or where the search begins")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--slow-us", type=float, default=0.0)
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--only", nargs="+", choices=START_RATE)
    options = parser.parse_args()
    names = options.only or (SLOW_TOO if options.slow_us else tuple(START_RATE))
    contest = Contest(options.workers, options.seconds, options.single, options.slow_us)
    rows = measure(names, contest, options.rate, search=options.search)
    publish("benchmarks.baselines", rows, seconds=options.seconds, slow_us=options.slow_us)


if __name__ == "__main__":
    main()
