"""The faults of a script by play time: hands out those that are due, and counts them.

Tests: tests/desk/local_venue/test_fault_schedule.py
"""

from dataclasses import dataclass
from typing import Final

from desk.local_venue.faults.fault_kinds import Role
from desk.local_venue.faults.fault_script import Fault, FaultScript
from desk.local_venue.server_protocol import Step
from desk.model.units import MS_NS, SECOND_NS

NEVER_NS: Final = 1 << 62


@dataclass(slots=True)
class _Planned:
    """A fault with its time, from `from_ns` to `to_ns`; `left`: how often it may still happen."""

    fault: Fault
    from_ns: int
    to_ns: int
    left: int


class FaultSchedule:
    """Play time in ns of session time since the start of the play, and the faults in it.

    `start_ns` is the session time at which the play starts, `speed` its factor of real time (None: as fast as
    possible). A moment happens to one connection at a time: the first that is at its step from `at` on. `counts` are
    by kind: moments that happened, changes of the market, and events that a span changed or withheld. Raises PlanError.
    """

    def __init__(self, script: FaultScript, start_ns: int, speed: float | None) -> None:
        self.seed = script.seed
        self.now_ns = 0
        self.counts = {fault.kind.name: 0 for fault in script.faults}
        self._speed = speed or 1.0
        self._connections = 0
        planned = [self._plan(script, fault, start_ns) for fault in script.faults]
        self._spans = [each for each in planned if each.fault.kind.role == "span"]
        self._market = [each for each in planned if each.fault.kind.role == "market"]
        self._moments = [each for each in planned if each.fault.kind.role in {"moment", "answer", "grant"}]

    @staticmethod
    def _plan(script: FaultScript, fault: Fault, start_ns: int) -> _Planned:
        from_ns = script.start_ns(fault, start_ns)
        to_ns = from_ns + int(fault.for_s * SECOND_NS) if fault.for_s else NEVER_NS
        return _Planned(fault, from_ns, to_ns, fault.times)

    def connect(self) -> int:
        """The number of a new connection, from 1."""
        self._connections += 1
        return self._connections

    def reach(self, now_ns: int) -> None:
        """Advance play time."""
        self.now_ns = max(self.now_ns, now_ns)
        for planned in self._market:
            if planned.left and planned.from_ns <= self.now_ns:
                planned.left = 0
                self.count(planned.fault)

    def take(self, step: Step, connection: int, sent: int, *roles: Role) -> Fault | None:
        """The next fault that is due at this step of the connection, which was sent so many events; it is counted."""
        for planned in self._moments:
            fault = planned.fault
            if (
                planned.left
                and planned.from_ns <= self.now_ns < planned.to_ns
                and fault.step == step
                and fault.kind.role in roles
                and fault.connection in {0, connection}
                and sent >= fault.after_events
            ):
                planned.left -= 1
                self.count(fault)
                return fault
        return None

    def spans(self, connection: int) -> list[Fault]:
        """The spans that this connection is in now."""
        return [
            planned.fault
            for planned in self._spans
            if planned.from_ns <= self.now_ns < planned.to_ns and planned.fault.connection in {0, connection}
        ]

    def count(self, fault: Fault, times: int = 1) -> None:
        """Count what a fault has done."""
        self.counts[fault.kind.name] += times

    def clock_offset_ns(self) -> int:
        """How far the venue's page /clock is off now."""
        skews = [fault for fault in self.spans(0) if fault.values.get("of") == "clock"]
        for fault in skews:
            self.count(fault)
        return sum(int(fault.values["ms"] * MS_NS) for fault in skews)

    def wall_s(self, session_s: float) -> float:
        """Session seconds in wall time."""
        return session_s / self._speed
