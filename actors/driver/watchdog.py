"""The watchdog: finds the strategy or scanner in which a consumer or the scanners hang or die, and stops it.

It reads the breadcrumbs of their processes (`desk.process.breadcrumbs`): on this machine, else by a task on the other
nodes.
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from logging import Logger
from typing import Any, Final

import msgspec
import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.driver.crash_blame import CrashBlame
from desk.model.errors import ActorDied
from desk.model.items import Stop
from desk.model.log_line import fields
from desk.process import breadcrumbs
from desk.process.breadcrumbs import Breadcrumb
from desk.telemetry.breadcrumb_port import EVERYWHERE

MOST_STEP_S: Final = 1.0
START_S: Final = 120.0
OUTSIDE: Final = 6
SCANNER: Final = "scanner"
ELSEWHERE_TIMEOUT_S: Final = 3.0


Elsewhere = Callable[..., list[Any]]
"""Calls a function with arguments on the cluster's other nodes; returns the results."""


class Stall(msgspec.Struct):
    """An actor that does not answer: the call it was in at the last look, and for how long."""

    crumb: Breadcrumb | None
    looked_s: float
    lasts_s: float = 0.0


class Watchdog:
    """Finds the actors that hang, and the strategies to stop so that successors survive. Old trails are removed first.

    A consumer hangs when it does not answer and has been in one call of a strategy for `hang_s`; outside of strategies,
    while restoring or waiting for other actors, the limit is OUTSIDE times as long. For the scanners only calls of a
    scanner count: reading the market may take long. The time between two looks counts at most MOST_STEP_S: a desk that
    was suspended does not hang.

    A strategy that hangs is stopped for its symbol; after a death `actors.driver.crash_blame` decides. Scanners are
    stopped likewise. `problems` are those of scanners, `notes` are all stops, newest last.
    """

    def __init__(self, desk: str, hang_s: float, log: Logger, elsewhere: Elsewhere) -> None:
        self._desk = desk
        self._hang_s = hang_s
        self._log = log
        self._elsewhere = elsewhere
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._epochs: dict[str, int] = {}
        self._stops: defaultdict[str, list[Stop]] = defaultdict(list)
        self._everywhere: list[Stop] = []
        self._stalls: dict[str, Stall] = {}
        self._hung: dict[str, Breadcrumb] = {}
        self._deaths = CrashBlame()
        self.close()

    def begins(self, actor: str, epoch: int) -> tuple[Stop, ...]:
        """Begin another incarnation; return the strategies, or scanners, that are stopped in it."""
        self._epochs[actor] = epoch
        self._stalls.pop(actor, None)
        return (*self._stops[actor], *(() if actor == SCANNER else self._everywhere))

    def hanging(self, silent: Collection[str], now_s: float) -> list[tuple[str, ActorDied]]:
        """Check the actors that owe an answer; return those that hang, each with its error. `now_s` is monotonic."""
        silent = [actor for actor in silent if actor in self._epochs]
        self._stalls = {actor: stall for actor, stall in self._stalls.items() if actor in silent}
        return [(actor, self._fault(actor)) for actor in silent if self._hangs(actor, now_s)]

    def died(self, actor: str) -> bool:
        """Handle the death, or the coming kill, of an incarnation; return whether a strategy or scanner is stopped."""
        if actor not in self._epochs:
            return False
        hung = self._hung.pop(actor, None)
        crumb = hung or self._look(actor)
        self._remove(actor)
        if crumb is not None and crumb.hook:
            self._log.warning("%s was in %s", actor, crumb, extra=fields(actor=actor))
        in_call = hung is not None and hung.hook
        stop = self._deaths.blame_for_hang(actor, hung, self._hang_s) if hung is not None and in_call else None
        stop = stop or self._deaths.blame_for_death(actor, crumb)
        if stop is None:
            return False
        self._note(actor, stop)
        return True

    def close(self) -> None:
        """Remove every trail of this desk on the nodes that can be reached."""
        breadcrumbs.remove_trails(self._desk)
        self._elsewhere(breadcrumbs.remove_trails, self._desk)

    def _note(self, actor: str, stop: Stop) -> None:
        if stop.symbol == EVERYWHERE:
            self._everywhere.append(stop)
        else:
            self._stops[actor].append(stop)
        if actor == SCANNER:
            text = f"scanner {stop.strategy} was stopped: {stop.why}; its last answer stays"
            self.problems.append(text)
        else:
            where = "all symbols" if stop.symbol == EVERYWHERE else stop.symbol
            text = f"strategy {stop.strategy} is stopped for {where}: {stop.why}"
        self._log.error("%s", text, extra=fields(actor=actor))
        self.notes.append(text)

    def _remove(self, actor: str) -> None:
        trail = (self._desk, actor, self._epochs[actor])
        if breadcrumbs.read_breadcrumb(*trail) is None:
            self._elsewhere(breadcrumbs.remove_trail, *trail)
        breadcrumbs.remove_trail(*trail)

    def _hangs(self, actor: str, now_s: float) -> bool:
        crumb = self._look(actor)
        stall = self._stalls.get(actor)
        if stall is None or stall.crumb != crumb:
            self._stalls[actor] = Stall(crumb, now_s)
            return False
        stall.lasts_s += min(now_s - stall.looked_s, MOST_STEP_S)
        stall.looked_s = now_s
        if crumb is None:
            return stall.lasts_s >= START_S
        if not crumb.hook and actor == SCANNER:
            return False
        return stall.lasts_s >= self._hang_s * (1 if crumb.hook else OUTSIDE)

    def _fault(self, actor: str) -> ActorDied:
        stall = self._stalls.pop(actor)
        crumb = stall.crumb
        if crumb is not None:
            self._hung[actor] = crumb
        where = f"in {crumb}" if crumb is not None and crumb.hook else "outside of strategies"
        return ActorDied(
            actor,
            f"it has made no progress for {stall.lasts_s:.1f} s, {where}",
            "calls of strategies and scanners that return",
            "Correct it, or raise [guards] hang_s.",
        )

    def _look(self, actor: str) -> Breadcrumb | None:
        trail = (self._desk, actor, self._epochs[actor])
        here = breadcrumbs.read_breadcrumb(*trail)
        if here is not None or actor == SCANNER:
            return here
        return next(
            (crumb for crumb in self._elsewhere(breadcrumbs.read_breadcrumb, *trail) if crumb is not None), None
        )


def on_other_nodes(other_nodes: Callable[[], list[str]], function: Callable[..., Any], *args: Any) -> list[Any]:
    """Return the function's result on each of the cluster's other nodes that answers."""
    calls = [_on(node, function, *args) for node in other_nodes()]
    if not calls:
        return []
    done, _ = ray.wait(calls, num_returns=len(calls), timeout=ELSEWHERE_TIMEOUT_S)
    found = []
    for call in done:
        try:
            found.append(ray.get(call))
        except RayError:  # the node has died
            continue
    return found


def _on(node: str, function: Callable[..., Any], *args: Any) -> Any:
    pinned = NodeAffinitySchedulingStrategy(node, soft=False)
    task = ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=pinned, enable_task_events=False)
    return task.remote(*args)
