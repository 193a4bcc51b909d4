"""A queue model of a desk whose number of consumers follows the policy."""

import math
from collections import deque
from itertools import pairwise
from random import Random

from curves import Load

from desk.model.units import SECOND_NS
from desk.scaling import PolicyState, ScalingPolicy, ScalingReading, decide

STEPS_PER_S = 10
STEP_S = 1 / STEPS_PER_S
MOVING_S = 2.0
TICKS = 50_000
"""Ticks in a second's worth of work."""


class Shard:
    """Work in order of arrival. `share` is its part of the load; there from `here_s` on."""

    def __init__(self, here_s: float) -> None:
        self.here_s = here_s
        self.leaving = False
        self.share = 0.0
        self.queue: deque[tuple[float, float]] = deque()
        self.done = 0.0
        self.waits: list[tuple[float, float]] = []

    def step(self, now_s: float, arrived: float, patience_s: float) -> float:
        """Accept work, drop work that is too old, do as much as time permits, and return the dropped work."""
        if arrived:
            self.queue.append((now_s, arrived))
        dropped, time = 0.0, STEP_S
        while self.queue and now_s - self.queue[0][0] > patience_s:
            dropped += self.queue.popleft()[1]
        while self.queue and time > 0:
            since_s, work = self.queue.popleft()
            part = min(work, time)
            time -= part
            self.waits.append((now_s - since_s, part))
            if part < work:
                self.queue.appendleft((since_s, work - part))
        self.done += STEP_S - time
        return dropped

    def read(self, passed_s: float) -> tuple[float, float | None]:
        """Busy fraction, and the 99th percentile of time in queue in seconds, since it was read before."""
        busy, waits = self.done / passed_s, sorted(self.waits, reverse=True)
        self.done, self.waits = 0.0, []
        # Where nothing is left over from step to step, ticks still wait for those right before them.
        little_s = 0.002 / (1 - min(busy, 0.95))
        above = sum(part for _, part in waits) / 100
        for wait_s, part in waits:
            above -= part
            if above < 0:
                return busy, wait_s + little_s
        return busy, None


class SimulatedDesk:
    """Gives readings to a policy and follows it. Time is in seconds since the start, load in units of one shard's work.

    A consumer starts `start_s` after the request. Slots move MOVING_S after a consumer joins or before it leaves;
    waiting work stays in its queue. Ticks are dropped when they are older than `patience_s`. `skew` of the load
    is one symbol's. Readings come every second, up to half a second late, and one of twenty does not come.
    """

    def __init__(
        self,
        policy: ScalingPolicy,
        load: Load,
        *,
        working: int = 1,
        start_s: float = 1.0,
        patience_s: float = 1.0,
        skew: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.policy, self.load = policy, load
        self.start_s, self.patience_s, self.skew = start_s, patience_s, skew
        self.chance = Random(seed)
        self.state = PolicyState()
        self.shards = [Shard(0.0) for _ in range(working)]
        self.sharing: list[Shard] = []
        self.moving_until_s = 0.0
        self.read_s = 0.0
        self.dropped = 0.0
        self.consumer_s = 0.0
        self.readings: list[ScalingReading] = []
        self.asked: list[int] = []

    def run(self, until_s: int) -> "SimulatedDesk":
        due_s = 1.0
        for step in range(1, until_s * STEPS_PER_S + 1):
            now_s = step / STEPS_PER_S
            self._step(now_s)
            if now_s >= due_s:
                if self.chance.random() < 0.95:
                    self._read(now_s)
                due_s = math.floor(now_s) + 1.0 + self.chance.uniform(0.0, 0.5)
        return self

    @property
    def changes(self) -> list[tuple[float, int]]:
        """At which second another number was asked for, and which."""
        answers = zip(self.readings, self.asked, strict=True)
        return [(_s(after), number) for (_, old), (after, number) in pairwise(answers) if number != old]

    def missed(self, from_s: float = 0.0) -> list[float]:
        """The seconds of the readings that missed the objective."""
        objective_ns = self.policy.time_in_queue_ns
        return [
            _s(reading)
            for reading in self.readings
            if _s(reading) > from_s and (reading.dropped or (reading.time_in_queue_ns or 0) > objective_ns)
        ]

    def kept(self) -> float:
        """The part of the readings that kept the objective."""
        return 1 - len(self.missed()) / len(self.readings)

    def _step(self, now_s: float) -> None:
        here = [shard for shard in self.shards if shard.here_s <= now_s]
        self._share_out(now_s, [shard for shard in here if not shard.leaving])
        work = self.load(now_s - STEP_S) * STEP_S
        for shard in here:
            self.dropped += shard.step(now_s, work * shard.share, self.patience_s)
        self.shards = [shard for shard in self.shards if not shard.leaving or shard.share or shard.queue]
        self.consumer_s += len(self.shards) * STEP_S

    def _share_out(self, now_s: float, staying: list[Shard]) -> None:
        if staying == self.sharing:
            return
        if not self.moving_until_s:
            self.moving_until_s = now_s + (MOVING_S if self.sharing else 0.0)
        if now_s < self.moving_until_s:
            return
        for shard in self.shards:
            shard.share = (1 - self.skew) / len(staying) if shard in staying else 0.0
        staying[0].share += self.skew
        self.sharing, self.moving_until_s = staying, 0.0

    def _read(self, now_s: float) -> None:
        read = {i: shard.read(now_s - self.read_s) for i, shard in enumerate(self.shards) if shard.here_s <= now_s}
        waits_s = [wait_s for _, wait_s in read.values() if wait_s is not None]
        reading = ScalingReading(
            now_ns=round(now_s * SECOND_NS),
            busy={shard: busy for shard, (busy, _) in read.items()},
            time_in_queue_ns=round(max(waits_s) * SECOND_NS) if waits_s else None,
            dropped=math.ceil(self.dropped * TICKS),
            pending=len(self.shards) - len(read),
            lopsided=self.moving_until_s > 0,
        )
        desired, self.state = decide(self.policy, self.state, reading)
        self.read_s, self.dropped = now_s, 0.0
        self.readings.append(reading)
        self.asked.append(desired)
        self._follow(now_s, desired)

    def _follow(self, now_s: float, desired: int) -> None:
        staying = [shard for shard in self.shards if not shard.leaving]
        self.shards += [Shard(now_s + self.start_s) for _ in range(desired - len(staying))]
        for shard in staying[desired:]:
            shard.leaving = True


def oracle_s(policy: ScalingPolicy, load: Load, until_s: int) -> float:
    """Consumer-seconds of who knows each second's load and changes the number at once, for nothing."""
    needs = (math.ceil(load(second) / policy.target_busy - 1e-9) for second in range(until_s))
    return float(sum(min(max(need, policy.least), policy.most) for need in needs))


def _s(reading: ScalingReading) -> float:
    return reading.now_ns / SECOND_NS
