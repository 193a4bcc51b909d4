"""The overload ladder: how the producer reduces its load, step by step, while data grow old.

    rung 1  conflate    a newer quote replaces the older one of its symbol in the lane, even if the lane is not full
    rung 2  thin        unsubscribe from the quotes of the busiest symbols
    rung 3  shed        drop trades older than `write_timeout_ms`, even if the lane is not full
    rung 4  hold        degrade all marks: no entries

The ladder climbs a rung when the age exceeds that rung's limit, one rung at a time, so that each can take effect.
It descends when the age has stayed below half of the current rung's limit for `calm_ns`: the relief that a rung brings
must not be enough to leave it. A venue that closes the connection because the desk reads too slowly (407) makes it
climb at once at any age, and it does not descend for `patience_ns`: the new connection begins without a backlog.
"""

from typing import Final

import msgspec

from desk.model.units import MS_NS, SECOND_NS

CALM: Final = 0
CONFLATE: Final = 1
THIN: Final = 2
SHED: Final = 3
HOLD: Final = 4
NAMES: Final = ("calm", "conflate quotes", "stop quotes of hot symbols", "drop aged trades", "no entries")


class LadderConfig(msgspec.Struct, frozen=True):
    """The age above which each rung is climbed, ascending; the least time between climbs, and before a descent."""

    climb_ns: tuple[int, int, int, int]
    settle_ns: int = 200 * MS_NS
    calm_ns: int = SECOND_NS
    patience_ns: int = 30 * SECOND_NS

    @classmethod
    def of(cls, write_timeout_ns: int, max_data_latency_ns: int) -> "LadderConfig":
        """Limits at a quarter, half and all of the write timeout; the top rung where data are too old for entries."""
        top_ns = max(max_data_latency_ns, write_timeout_ns + 1)
        return cls((write_timeout_ns // 4, write_timeout_ns // 2, write_timeout_ns, top_ns))


class LadderStep(msgspec.Struct, frozen=True):
    """A step from one rung to the next, with the age that caused it."""

    before: int
    after: int
    age_ns: int
    is_pushed: bool = False

    def __str__(self) -> str:
        way = "climbed" if self.after > self.before else "descended"
        why = "because the venue found the desk too slow" if self.is_pushed else "at"
        return (
            f"overload ladder {way} to {self.after} ({NAMES[self.after]}) from {self.before} "
            f"{why}{', at' if self.is_pushed else ''} a data age of {self.age_ns / MS_NS:,.0f} ms"
        )


class OverloadLadder:
    """A state machine: ages in, steps out. The age is the larger of lane age and read age."""

    def __init__(self, config: LadderConfig) -> None:
        self.config = config
        self.rung = CALM
        self.highest = CALM
        self.steps = 0
        self._stepped_ns = 0
        self._calm_since_ns: int | None = None
        self._pushed_ns: int | None = None

    def push(self, age_ns: int, now_ns: int) -> LadderStep | None:
        """Climb a rung at any age; the topmost, which refuses entries, only by age. None if there is no step."""
        self._pushed_ns, self._calm_since_ns = now_ns, None
        if self.rung >= SHED:
            return None
        return msgspec.structs.replace(self._step(self.rung + 1, age_ns, now_ns), is_pushed=True)

    def observe(self, age_ns: int, now_ns: int) -> LadderStep | None:
        """Record the age at wall time `now_ns`; return the step that results, if any."""
        climb_ns = self.config.climb_ns
        if self.rung < HOLD and age_ns > climb_ns[self.rung]:
            self._calm_since_ns = None
            if now_ns - self._stepped_ns >= self.config.settle_ns:
                return self._step(self.rung + 1, age_ns, now_ns)
            return None
        is_pushed = self._pushed_ns is not None and 0 <= now_ns - self._pushed_ns < self.config.patience_ns
        if self.rung == CALM or is_pushed or age_ns >= climb_ns[self.rung - 1] // 2:
            self._calm_since_ns = None
            return None
        if self._calm_since_ns is None:
            self._calm_since_ns = now_ns
        if now_ns - self._calm_since_ns >= self.config.calm_ns:
            self._calm_since_ns = now_ns
            return self._step(self.rung - 1, age_ns, now_ns)
        return None

    def wants_more(self, age_ns: int) -> bool:
        """Whether this age is above the current rung's limit, so that more relief is needed."""
        return self.rung > CALM and age_ns > self.config.climb_ns[self.rung - 1]

    def _step(self, rung: int, age_ns: int, now_ns: int) -> LadderStep:
        step = LadderStep(self.rung, rung, age_ns)
        self.rung = rung
        self.highest = max(self.highest, rung)
        self.steps += 1
        self._stepped_ns = now_ns
        return step
