"""The hops of batches, each divided into measured work, measured waiting, and the rest.

Tests: tests/desk/telemetry/test_hop_meter.py
"""

from collections import defaultdict, deque
from threading import Lock
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from desk.model.units import SECOND_NS
from desk.telemetry.histogram import Histogram
from desk.telemetry.readings import Readings
from desk.telemetry.wait_timeline import NoWaits, WaitSource, WaitTimes
from desk.telemetry.work_points import WorkPoints

Hop = Literal["feed", "lane", "link", "apply", "decide"]
"""Venue to receipt, receipt to cut, cut to take-up, take-up to applied; decided to sent, of a request's orders."""
Part = Literal["lock", "throttled", "run_queue", "gc", "work", "commit", "backpressure", "busy", "linger", "rest"]
PARTS: Final[tuple[Part, ...]] = (
    *("lock", "throttled", "run_queue", "gc", "work"),  # the first fields of WaitTimes
    *("commit", "backpressure", "busy", "linger"),  # waits that the hop's own code knows
    "rest",
)
"""The order in which time is charged."""
LOCK, THROTTLED, RUN_QUEUE, GC, WORK, HELD = (WaitTimes._fields.index(name) for name in WaitTimes._fields)
KNOWN: Final = PARTS[HELD:-1]
MAX_PENDING: Final = 4_096
RECENT_NS: Final = 30 * SECOND_NS
SLOWEST: Final = 0.99


class HopTime(NamedTuple):
    """One hop of one batch in wall time; `age_ns` is the age of its oldest tick at the end."""

    hop: Hop
    began_ns: int
    ended_ns: int
    age_ns: int
    known: dict[Part, int]


NONE_KNOWN: Final[dict[Part, int]] = {}


def divide(totals_ns: NDArray[np.int64], charges_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """The parts of hops of these lengths, a row each, a column for each of PARTS; they add up to the length.

    `charges_ns` has the columns of PARTS without the rest. They are charged one after the other, each with at most
    what is left.
    """
    parts = np.empty((len(totals_ns), len(PARTS)), np.int64)
    left_ns = np.maximum(totals_ns, 0)
    for column in range(len(PARTS) - 1):
        parts[:, column] = np.clip(charges_ns[:, column], 0, left_ns)
        left_ns = left_ns - parts[:, column]
    parts[:, -1] = left_ns
    return parts


class RecentQuantile:
    """The bound above which the slowest hundredth of the last half to whole minute lies."""

    def __init__(self) -> None:
        self._older, self._newer = Histogram(), Histogram()
        self._since_ns = 0
        self.bound_ns: int | None = None

    def add(self, totals_ns: NDArray[np.int64], at_ns: int) -> None:
        """Count durations, and set the bound anew."""
        if at_ns - self._since_ns > RECENT_NS:
            self._older, self._newer, self._since_ns = self._newer, Histogram(), at_ns
        self._newer.add(totals_ns)
        both = Histogram()
        both.merge(self._older)
        both.merge(self._newer)
        self.bound_ns = both.quantile(SLOWEST)


class HopSums:
    """Of one hop: ages, and sums by part in ns, of all batches and of the slowest hundredth."""

    def __init__(self) -> None:
        self.ages = Histogram()
        self.all = np.zeros(len(PARTS), np.int64)
        self.slowest = np.zeros(len(PARTS), np.int64)
        self._recent = RecentQuantile()

    def add(self, hops: list[HopTime], waits: WaitSource, points: WorkPoints) -> None:
        """Count these hops. What is slow is judged by those before."""
        began_ns = np.array([one.began_ns for one in hops], np.int64)
        ended_ns = np.array([one.ended_ns for one in hops], np.int64)
        known_ns = np.array([[one.known.get(part, 0) for part in KNOWN] for one in hops], np.int64)
        totals_ns = ended_ns - began_ns
        parts = divide(totals_ns, np.hstack([_waits(began_ns, ended_ns, waits, points), known_ns]))
        self.all += parts.sum(axis=0)
        if self._recent.bound_ns is not None:
            self.slowest += parts[totals_ns >= self._recent.bound_ns].sum(axis=0)
        self.ages.add(np.array([one.age_ns for one in hops], np.int64))
        self._recent.add(totals_ns, hops[-1].ended_ns)


def _waits(
    began_ns: NDArray[np.int64], ended_ns: NDArray[np.int64], waits: WaitSource, points: WorkPoints
) -> NDArray[np.int64]:
    """The waits in these intervals; work and run-queue wait by the points, if there are any.

    With these the wait for the lock is exact, too: while the lock was held, and the thread neither worked nor was ready
    to run, it waited for the lock.
    """
    found = waits.within(began_ns, ended_ns)
    exact = points.within(began_ns, ended_ns)
    if exact is not None:
        found[:, WORK] = exact[:, 0] - found[:, GC]
        found[:, RUN_QUEUE] = exact[:, 1] - found[:, THROTTLED]
        found[:, LOCK] = np.maximum(found[:, LOCK], found[:, HELD] - exact.sum(axis=1))
    return found[:, :HELD]


class HopMeter:
    """Collects hops where they happen, and divides them later: the waits of a moment are known after it.

    `note` and `point` cost a microsecond each. One thread calls them, another may measure.
    """

    def __init__(self, waits: WaitSource | None = None, points: WorkPoints | None = None) -> None:
        self._waits = waits or NoWaits()
        self._points = points or WorkPoints(lambda: 0, lambda: 0)
        self._pending: deque[HopTime] = deque()
        self._sums: defaultdict[Hop, HopSums] = defaultdict(HopSums)
        self._lock = Lock()

    def note(self, hop: Hop, began_ns: int, ended_ns: int, age_ns: int, known: dict[Part, int] = NONE_KNOWN) -> None:
        """Note one hop of one batch. `known` are waits that only the caller can tell."""
        self._pending.append(HopTime(hop, began_ns, ended_ns, age_ns, known))
        if len(self._pending) > MAX_PENDING:
            self._settle(2**63)

    def point(self, wall_ns: int) -> None:
        """Note the clocks of the calling thread, which does the work, at an end of a hop."""
        self._points.note(wall_ns)

    def measure(self, readings: Readings) -> None:
        """Add the hops so far whose waits are known."""
        self._settle(self._waits.end_ns)
        with self._lock:
            for hop, sums in self._sums.items():
                readings.record("batch.age", sums.ages.snapshot(), hop=hop)
                for metric, parts_ns in (("hop.time", sums.all), ("hop.slowest.time", sums.slowest)):
                    for part, part_ns in zip(PARTS, parts_ns.tolist(), strict=True):
                        if part_ns:
                            readings.count(metric, part_ns / SECOND_NS, hop=hop, part=part)

    def _settle(self, known_ns: int) -> None:
        """Divide the oldest hops, up to the first that ended later than this."""
        with self._lock:
            known: defaultdict[Hop, list[HopTime]] = defaultdict(list)
            while self._pending and self._pending[0].ended_ns <= known_ns:
                one = self._pending.popleft()
                known[one.hop].append(one)
            for hop, hops in known.items():
                self._sums[hop].add(hops, self._waits, self._points)
