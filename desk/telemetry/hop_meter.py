"""The hops of batches, each divided into measured work, measured waiting, and the rest.

Tests: tests/desk/telemetry/test_hop_meter.py
"""

from collections import Counter, deque
from threading import Lock
from typing import Final, Literal, NamedTuple

from desk.model.units import SECOND_NS
from desk.telemetry.histogram import Histogram
from desk.telemetry.readings import Readings
from desk.telemetry.wait_timeline import NoWaits, WaitSource, WaitTimes

Hop = Literal["feed", "lane", "link", "apply", "decide"]
"""Venue to receipt, receipt to cut, cut to take-up, take-up to applied; decided to sent, of a request's orders."""
Part = Literal["lock", "throttled", "run_queue", "gc", "work", "commit", "backpressure", "busy", "linger", "rest"]
WAITS: Final[tuple[Part, ...]] = ("lock", "throttled", "run_queue", "gc", "work")
"""The fields of WaitTimes."""
KNOWN: Final[tuple[Part, ...]] = ("commit", "backpressure", "busy", "linger")
"""Waits that the hop's own code knows; they get what is left after the waits of the process."""
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


def divide(total_ns: int, waits: WaitTimes, known: dict[Part, int]) -> dict[Part, int]:
    """The parts of a hop of this length, which add up to it.

    They are charged one after the other, each with at most what is left: the waits of the process in the order of
    `WaitTimes`, the waits of KNOWN, and the rest.
    """
    parts: dict[Part, int] = {}
    left_ns = total_ns
    charges = (*zip(WAITS, waits, strict=True), *((part, known.get(part, 0)) for part in KNOWN))
    for part, wanted_ns in charges:
        if wanted_ns > 0 and left_ns > 0:
            parts[part] = min(wanted_ns, left_ns)
            left_ns -= parts[part]
    if left_ns > 0:
        parts["rest"] = left_ns
    return parts


class RecentQuantile:
    """The bound above which the slowest hundredth of the last half to whole minute lies."""

    def __init__(self) -> None:
        self._older, self._newer = Histogram(), Histogram()
        self._since_ns = 0
        self.bound_ns: int | None = None

    def add(self, total_ns: int, at_ns: int) -> None:
        """Count one duration."""
        if at_ns - self._since_ns > RECENT_NS:
            self._older, self._newer, self._since_ns = self._newer, Histogram(), at_ns
        self._newer.add_one(total_ns)

    def update(self) -> None:
        """Set the bound anew."""
        both = Histogram()
        both.merge(self._older)
        both.merge(self._newer)
        self.bound_ns = both.quantile(SLOWEST)


class HopSums:
    """Of one hop: ages, and sums by part in ns, of all batches and of the slowest hundredth."""

    def __init__(self) -> None:
        self.ages = Histogram()
        self.all: Counter[Part] = Counter()
        self.slowest: Counter[Part] = Counter()
        self.recent = RecentQuantile()

    def add(self, one: HopTime, waits: WaitTimes) -> None:
        """Count one hop."""
        total_ns = max(one.ended_ns - one.began_ns, 0)
        parts = divide(total_ns, waits, one.known)
        self.ages.add_one(one.age_ns)
        self.all.update(parts)
        self.recent.add(total_ns, one.ended_ns)
        if self.recent.bound_ns is not None and total_ns >= self.recent.bound_ns:
            self.slowest.update(parts)


class HopMeter:
    """Collects hops where they happen, and divides them later: the waits of a moment are known after it.

    `note` costs less than a microsecond. One thread notes, another may measure.
    """

    def __init__(self, waits: WaitSource | None = None) -> None:
        self._waits = waits or NoWaits()
        self._pending: deque[HopTime] = deque()
        self._sums: dict[Hop, HopSums] = {}
        self._lock = Lock()

    def note(self, hop: Hop, began_ns: int, ended_ns: int, age_ns: int, known: dict[Part, int] = NONE_KNOWN) -> None:
        """Note one hop of one batch. `known` are waits that only the caller can tell."""
        self._pending.append(HopTime(hop, began_ns, ended_ns, age_ns, known))
        if len(self._pending) > MAX_PENDING:
            self._settle(2**63)

    def measure(self, readings: Readings) -> None:
        """Add the hops so far whose waits are known."""
        self._settle(self._waits.end_ns)
        with self._lock:
            for hop, sums in self._sums.items():
                sums.recent.update()
                readings.record("batch.age", sums.ages.snapshot(), hop=hop)
                for part, total_ns in sums.all.items():
                    readings.count("hop.time", total_ns / SECOND_NS, hop=hop, part=part)
                for part, total_ns in sums.slowest.items():
                    readings.count("hop.slowest.time", total_ns / SECOND_NS, hop=hop, part=part)

    def _settle(self, known_ns: int) -> None:
        """Divide the oldest hops, up to the first that ended later than this."""
        with self._lock:
            while self._pending and self._pending[0].ended_ns <= known_ns:
                one = self._pending.popleft()
                if one.hop not in self._sums:
                    self._sums[one.hop] = HopSums()
                self._sums[one.hop].add(one, self._waits.between(one.began_ns, one.ended_ns))
