"""The system's clock, on a machine that interrupts it."""

import time

import pytest

from desk.model.units import MS_NS
from desk.process.clock import SystemClock


def test_an_interruption_between_the_looks_at_two_clocks_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, real, interruptions_s = SystemClock(), time.time_ns, [0.2]

    def interrupted() -> int:
        now_ns = real()
        if interruptions_s:
            time.sleep(interruptions_s.pop())
        return now_ns

    monkeypatch.setattr(time, "time_ns", interrupted)

    assert abs(clock.step_ns()) < 20 * MS_NS
    assert not interruptions_s
