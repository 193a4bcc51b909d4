"""The overload ladder: what is given up, and in which order, while the data grow old.

    rung 1  conflate    a newer quote replaces the older of its symbol in the lane, full or not
    rung 2  thin        the venue is asked for no more quotes of the hottest symbols
    rung 3  shed        trades older than `write_timeout_ms` are dropped, full or not
    rung 4  hold        marks are degraded: no entries

Climbing needs an age above the next rung's; it goes one rung at a time, so that each has the time to help.
Descending needs the age to stay below half of the rung's own for `calm_ns`: what a rung takes off the load
must not be what makes it be left.
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
    """The age at which each rung above CALM is climbed, rising; and how long it must be calm to descend."""

    climb_ns: tuple[int, int, int, int]
    settle_ns: int = 200 * MS_NS
    calm_ns: int = SECOND_NS

    @classmethod
    def of(cls, write_timeout_ns: int, max_data_latency_ns: int) -> "LadderConfig":
        """Quarter, half and whole of the write timeout; the top where data are too old to act on."""
        top_ns = max(max_data_latency_ns, write_timeout_ns + 1)
        return cls((write_timeout_ns // 4, write_timeout_ns // 2, write_timeout_ns, top_ns))


class LadderStep(msgspec.Struct, frozen=True):
    """One rung climbed or left, with the age that made it so."""

    before: int
    after: int
    age_ns: int

    def __str__(self) -> str:
        way = "climbed" if self.after > self.before else "descended"
        return (
            f"overload ladder {way} to {self.after} ({NAMES[self.after]}) from {self.before} "
            f"at a data age of {self.age_ns / MS_NS:,.0f} ms"
        )


class OverloadLadder:
    """A state machine: ages in, steps out. The age is the worse of lane age and read age."""

    def __init__(self, config: LadderConfig) -> None:
        self.config = config
        self.rung = CALM
        self.highest = CALM
        self.steps = 0
        self._stepped_ns = 0
        self._calm_since_ns: int | None = None

    def observe(self, age_ns: int, now_ns: int) -> LadderStep | None:
        """Take the age at wall time `now_ns` in; the step it makes, if any."""
        climb_ns = self.config.climb_ns
        if self.rung < HOLD and age_ns > climb_ns[self.rung]:
            self._calm_since_ns = None
            if now_ns - self._stepped_ns >= self.config.settle_ns:
                return self._step(self.rung + 1, age_ns, now_ns)
            return None
        if self.rung == CALM or age_ns >= climb_ns[self.rung - 1] // 2:
            self._calm_since_ns = None
            return None
        if self._calm_since_ns is None:
            self._calm_since_ns = now_ns
        if now_ns - self._calm_since_ns >= self.config.calm_ns:
            self._calm_since_ns = now_ns
            return self._step(self.rung - 1, age_ns, now_ns)
        return None

    def wants_more(self, age_ns: int) -> bool:
        """Whether this age is above the current rung's own: what is done so far does not suffice."""
        return self.rung > CALM and age_ns > self.config.climb_ns[self.rung - 1]

    def _step(self, rung: int, age_ns: int, now_ns: int) -> LadderStep:
        step = LadderStep(self.rung, rung, age_ns)
        self.rung = rung
        self.highest = max(self.highest, rung)
        self.steps += 1
        self._stepped_ns = now_ns
        return step
