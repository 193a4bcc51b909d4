"""The tradeplan's [session] and [bars]: mode, clock and times.

Tests: tests/desk/config/test_plan.py
"""

from collections.abc import Iterator
from datetime import date as Date  # noqa: N812  `date` is a key of the plan
from datetime import time
from typing import Literal

from pydantic import Field

from desk.config.plan_table import PlanFault, PlanTable
from desk.config.values import DayOrNone, Mic, Name, TimeOfDay


class SessionPlan(PlanTable):
    """[session]: name, mode, clock and times of the run."""

    name: Name = Field(description="name of the run; part of every client_order_id and of the run folder's name")
    mode: Literal["replay", "paper", "live"] = Field(
        default="replay",
        description="recorded or made-up market (replay), live market data and simulated orders (paper), or live",
    )
    clock: Literal["real", "venue"] = Field(
        default="real",
        description="clock of session time outside replay: real, or the clock of a venue that replays a recorded day",
    )
    lockstep: bool = Field(
        default_factory=lambda data: data["mode"] == "replay",
        description="whether shards wait for each other every second, so that a replay repeats its decisions exactly",
    )
    date: DayOrNone = Field(default="", description="exchange day of a tape that has several; empty = the only day")
    start: TimeOfDay = Field(
        default="", description="exchange time at which the session starts; empty = as soon as possible"
    )
    stop: TimeOfDay = Field(
        default="",
        description="exchange time at which the session ends; empty = when the feed or the exchange day ends",
    )
    calendar: Mic = Field(
        default="XNYS",
        description='exchange whose trading days and hours apply, by ISO 10383 code; "24/7" = always open, midnight to '
        "midnight UTC",
    )

    @property
    def day(self) -> Date | None:
        """`date` as a date; None when empty."""
        return Date.fromisoformat(self.date) if self.date else None

    @property
    def start_time(self) -> time | None:
        """`start` as a time of day; None when empty."""
        return time.fromisoformat(self.start) if self.start else None

    @property
    def stop_time(self) -> time | None:
        """`stop` as a time of day; None when empty."""
        return time.fromisoformat(self.stop) if self.stop else None

    def conflicts(self) -> Iterator[PlanFault]:
        if self.lockstep and self.mode != "replay":
            yield PlanFault(
                ("lockstep",),
                f'`true` with mode = "{self.mode}"',
                '`false`, or mode = "replay"',
                "A live market does not wait: leave `lockstep` out.",
            )
        if self.start_time and self.stop_time and self.stop_time <= self.start_time:
            yield PlanFault(
                ("stop",),
                f'`"{self.stop}"`, which is not after start = "{self.start}"',
                "a time of day after `start`",
                "Move `stop` past `start`, or leave one of them empty.",
            )


class BarsPlan(PlanTable):
    """[bars]: when strategies receive a minute's bar, and how long late trades may still change it."""

    grace_s: float = Field(
        default=1.0, ge=0, le=3600, description="time after a minute's end at which strategies receive its bar, in s"
    )
    revise_s: float = Field(
        default=900.0,
        ge=0,
        le=86_400,
        description="time after its end in which late trades revise a minute, in s; later trades are rejected",
    )
    repair_s: float = Field(
        default=900.0,
        ge=0,
        le=86_400,
        description="time after the end of a live feed's gap in which its minutes are requested from the venue's "
        "history, in s; 0 = they stay partial",
    )

    def conflicts(self) -> Iterator[PlanFault]:
        if self.revise_s < self.grace_s:
            yield PlanFault(
                ("revise_s",),
                f"`{self.revise_s}`, which is below grace_s = {self.grace_s}",
                f"a number ≥ {self.grace_s}",
                "A minute accepts trades at least until its bar is delivered: raise `revise_s` or lower `grace_s`.",
            )
