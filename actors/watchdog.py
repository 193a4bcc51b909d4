"""The watchdog: finds the strategy in which a consumer hangs or dies, and stops it.

Consumers leave breadcrumbs (`desk.breadcrumbs`). They are read on this machine, else by a task on the other nodes.
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from logging import Logger
from typing import Any, Final

import msgspec
import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.peers import consumer_name
from desk import breadcrumbs
from desk.breadcrumbs import Crumb
from desk.model.errors import ActorDied
from desk.model.items import Stop

MOST_STEP_S: Final = 1.0
START_S: Final = 120.0
OUTSIDE: Final = 6
DEATHS_IN_A_CALL: Final = 3
ELSEWHERE_TIMEOUT_S: Final = 3.0


Elsewhere = Callable[..., list[Any]]
"""Calls a function with arguments on the cluster's other nodes; what it gives there."""


class Stall(msgspec.Struct):
    """A consumer that does not answer: where it was when looked at last, and for how long it has been just there."""

    crumb: Crumb | None
    looked_s: float
    lasts_s: float = 0.0


class Watchdog:
    """Tells which consumers hang, and what to stop so that their successors live. Leftovers are removed first.

    A consumer hangs when it does not answer and has been in one call of a strategy for `hang_s`; outside of
    strategies, where it may restore itself or wait for others, it has OUTSIDE times as long. Time in which the
    watchdog did not look counts for no more than MOST_STEP_S: a desk that was suspended does not hang.

    A strategy is stopped for its symbol when it hangs, or when the process dies DEATHS_IN_A_CALL times in a row in the
    very same call: kills from outside meet it by chance, and seldom again in the next life.
    """

    def __init__(self, desk: str, hang_s: float, log: Logger, elsewhere: Elsewhere) -> None:
        self._desk = desk
        self._hang_s = hang_s
        self._log = log
        self._elsewhere = elsewhere
        self._epochs: dict[int, int] = {}
        self._stops: defaultdict[int, list[Stop]] = defaultdict(list)
        self._stalls: dict[int, Stall] = {}
        self._hung: dict[int, Crumb] = {}
        self._died_in: dict[int, tuple[Crumb, int]] = {}
        self.close()

    def begins(self, shard: int, epoch: int) -> tuple[Stop, ...]:
        """Another incarnation begins; the strategies that are stopped in it."""
        self._epochs[shard] = epoch
        self._stalls.pop(shard, None)
        return tuple(self._stops[shard])

    def hanging(self, silent: Collection[int], now_s: float) -> list[tuple[int, ActorDied]]:
        """Look at the shards that owe an answer; those that hang, each with its fault. `now_s` is monotonic."""
        self._stalls = {shard: stall for shard, stall in self._stalls.items() if shard in silent}
        return [(shard, self._fault(shard)) for shard in silent if self._hangs(shard, now_s)]

    def died(self, shard: int) -> bool:
        """Take in that this incarnation is dead, or hangs and is to be ended; whether a strategy is stopped for it."""
        hung = self._hung.pop(shard, None)
        crumb = hung or self._look(shard)
        before = self._died_in.pop(shard, None)
        breadcrumbs.remove(self._desk, shard, self._epochs[shard])
        if crumb is None or not crumb.hook:
            return False
        self._log.warning("%s was in %s", consumer_name(shard), crumb)
        if hung is not None:
            return self._stop(shard, crumb, f"no progress for {self._hang_s:g} s in {crumb.hook}")
        deaths = before[1] + 1 if before is not None and before[0].call == crumb.call else 1
        if deaths < DEATHS_IN_A_CALL:
            self._died_in[shard] = (crumb, deaths)
            return False
        return self._stop(shard, crumb, f"its process died {deaths} times in a row in {crumb.hook} (at {crumb.at})")

    def close(self) -> None:
        """Remove every trail of this desk, as far as its nodes can be reached."""
        breadcrumbs.remove_all(self._desk)
        self._elsewhere(breadcrumbs.remove_all, self._desk)

    def _hangs(self, shard: int, now_s: float) -> bool:
        crumb = self._look(shard)
        stall = self._stalls.get(shard)
        if stall is None or stall.crumb != crumb:
            self._stalls[shard] = Stall(crumb, now_s)
            return False
        stall.lasts_s += min(now_s - stall.looked_s, MOST_STEP_S)
        stall.looked_s = now_s
        if crumb is None:
            return stall.lasts_s >= START_S
        return stall.lasts_s >= self._hang_s * (1 if crumb.hook else OUTSIDE)

    def _fault(self, shard: int) -> ActorDied:
        stall = self._stalls.pop(shard)
        crumb = stall.crumb
        if crumb is not None:
            self._hung[shard] = crumb
        where = f"in {crumb}" if crumb is not None and crumb.hook else "outside of strategies"
        return ActorDied(
            consumer_name(shard),
            f"it has made no progress for {stall.lasts_s:.1f} s, {where}",
            "calls of strategies that end",
            "Mend the strategy, or raise [guards] hang_s.",
        )

    def _stop(self, shard: int, crumb: Crumb, why: str) -> bool:
        self._stops[shard].append(Stop(crumb.strategy, crumb.symbol, why))
        return True

    def _look(self, shard: int) -> Crumb | None:
        trail = (self._desk, shard, self._epochs[shard])
        here = breadcrumbs.look(*trail)
        if here is not None:
            return here
        return next((crumb for crumb in self._elsewhere(breadcrumbs.look, *trail) if crumb is not None), None)


def elsewhere(other_nodes: Callable[[], list[str]], function: Callable[..., Any], *args: Any) -> list[Any]:
    """What the function gives on each of the cluster's other nodes, as far as they answer."""
    calls = [_on(node, function, *args) for node in other_nodes()]
    if not calls:
        return []
    done, _ = ray.wait(calls, num_returns=len(calls), timeout=ELSEWHERE_TIMEOUT_S)
    found = []
    for call in done:
        try:
            found.append(ray.get(call))
        except RayError:  # the node is gone, and what was on it
            continue
    return found


def _on(node: str, function: Callable[..., Any], *args: Any) -> Any:
    pinned = NodeAffinitySchedulingStrategy(node, soft=False)
    task = ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=pinned, enable_task_events=False)
    return task.remote(*args)
