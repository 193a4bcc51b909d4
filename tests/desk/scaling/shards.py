"""A little model of a desk whose consumers come and go as the policy says: queues of work, and nothing else."""

import math
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from random import Random

from curves import Load

from desk.model.units import MS_NS, SECOND_NS
from desk.scaling import Policy, PolicyState, Reading, decide

STEP_S = 0.1
MOVING_S = 2.0

Base = Callable[[float], float]


def little(busy: float) -> float:
    """Time in queue in seconds of a shard that keeps up."""
    return 0.002 / (1 - min(busy, 0.95))


class Shard:
    """Work in order of arrival; `share` is its part of the load."""

    def __init__(self, ready_s: float) -> None:
        self.ready_s = ready_s
        self.share = 0.0
        self.leaving = False
        self.queue: deque[list[float]] = deque()
        self.done = 0.0
        self.waits: list[tuple[float, float]] = []

    def work(self, now_s: float, arrived: float, patience_s: float) -> float:
        """One step: take in, let go what is too old, do what there is time for. What was let go."""
        queue, dropped, room = self.queue, 0.0, STEP_S
        if arrived:
            queue.append([now_s, arrived])
        while queue and now_s - queue[0][0] > patience_s:
            dropped += queue.popleft()[1]
        while queue and room > 1e-12:
            since_s, work = queue[0]
            part = min(work, room)
            room -= part
            self.waits.append((now_s - since_s, part))
            if part == work:
                queue.popleft()
            else:
                queue[0][1] -= part
        self.done += STEP_S - room
        return dropped


class SimulatedDesk:
    """Feeds a policy and does what it says. A new consumer is there after `start_s`, its slots MOVING_S later.

    `skew` is the part of the load that one shard has for itself, whatever their number. Readings come every second,
    up to half a second late, and one of twenty does not come.
    """

    def __init__(
        self,
        load: Load,
        policy: Policy,
        *,
        start_s: float = 1.0,
        patience_s: float = math.inf,
        skew: float = 0.0,
        base: Base = little,
        seed: int = 0,
        working: int = 1,
    ) -> None:
        self.load, self.policy, self.base = load, policy, base
        self.start_s, self.patience_s, self.skew = start_s, patience_s, skew
        self.chance = Random(seed)
        self.state = PolicyState()
        self.shards = [Shard(0.0) for _ in range(working)]
        self.now_s = 0.0
        self.read_s = 0.0
        self.moved_s = 0.0
        self.dropped = 0.0
        self.asked: list[tuple[float, int]] = []
        self.seconds = 0.0
        self.waits_ms: list[tuple[float, float]] = []
        self._share_out()

    def run(self, until_s: float) -> "SimulatedDesk":
        next_s = self.read_s + 1.0
        while self.now_s < until_s:
            self._step()
            if self.now_s >= next_s:
                if self.chance.random() < 0.95:
                    self._read()
                next_s = math.floor(self.now_s) + 1.0 + self.chance.uniform(0.0, 0.5)
        return self

    @property
    def changes(self) -> list[tuple[float, int]]:
        """When another number was asked for, and which."""
        return [after for before, after in pairwise(self.asked) if before[1] != after[1]]

    def _step(self) -> None:
        self.now_s += STEP_S
        load = self.load(self.now_s) * STEP_S
        here = [shard for shard in self.shards if shard.ready_s <= self.now_s]
        if any(not shard.share and not shard.leaving for shard in here) and self.now_s >= self.moved_s:
            if self.moved_s < max(shard.ready_s for shard in here) + MOVING_S:
                self.moved_s = max(shard.ready_s for shard in here) + MOVING_S
            if self.now_s >= self.moved_s:
                self._share_out()
        for shard in here:
            self.dropped += shard.work(self.now_s, load * shard.share, self.patience_s)
        self.shards = [shard for shard in self.shards if not (shard.leaving and not shard.share and not shard.queue)]
        self.seconds += STEP_S * len(self.shards)

    def _share_out(self) -> None:
        staying = [shard for shard in self.shards if shard.ready_s <= self.now_s and not shard.leaving]
        for shard in self.shards:
            shard.share = 0.0
        for shard in staying:
            shard.share = (1.0 - self.skew) / len(staying)
        staying[0].share += self.skew

    def _read(self) -> None:
        passed_s = self.now_s - self.read_s
        self.read_s = self.now_s
        here = {i: shard for i, shard in enumerate(self.shards) if shard.ready_s <= self.now_s}
        busy = {i: shard.done / passed_s for i, shard in here.items()}
        waits = [wait for i, shard in here.items() if (wait := _p99(shard.waits, self.base(busy[i]))) is not None]
        worst_s = max(waits, default=None)
        for shard in here.values():
            shard.done, shard.waits = 0.0, []
        reading = Reading(
            now_ns=round(self.now_s * SECOND_NS),
            busy=busy,
            time_in_queue_ns=None if worst_s is None else round(worst_s * SECOND_NS),
            dropped=round(self.dropped * 1e5),
            pending=len(self.shards) - len(here),
            lopsided=self.now_s < self.moved_s,
        )
        self.dropped = 0.0
        self.waits_ms.append((self.now_s, -1.0 if worst_s is None else worst_s * 1000))
        desired, self.state = decide(self.policy, self.state, reading)
        assert self.policy.least <= desired <= self.policy.most
        self.asked.append((self.now_s, desired))
        self._follow(desired)

    def _follow(self, desired: int) -> None:
        while sum(not shard.leaving for shard in self.shards) < desired:
            self.shards.append(Shard(self.now_s + self.start_s))
        surplus = [shard for shard in self.shards if not shard.leaving][desired:]
        for shard in surplus:
            if shard.ready_s > self.now_s:
                self.shards.remove(shard)
            shard.leaving = True
        if surplus:
            self._share_out()


def _p99(waits: list[tuple[float, float]], base_s: float) -> float | None:
    """The 99th percentile by work, on top of what it is anyway."""
    if not waits:
        return None
    total, so_far = sum(work for _, work in waits), 0.0
    for wait, work in sorted(waits, reverse=True):
        so_far += work
        if so_far > total / 100:
            return wait + base_s
    return waits[-1][0] + base_s
