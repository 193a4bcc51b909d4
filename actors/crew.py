"""The crew: every actor of a desk by its name, and a successor for whichever dies."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from logging import Logger
from typing import Any, Final

from actors.cluster import Cluster
from actors.peers import told
from desk.model.errors import ActorDied
from desk.pipeline.record import ProcessUsage

QUICK_S: Final = 3.0
MOST_QUICK: Final = 6
FIRST_PAUSE_S: Final = 0.05

Recipe = Callable[[int], Any]
"""Makes one actor, given the epoch of its incarnation; its handle."""


class Crew:
    """Makes actors in the order of the recipes, and again when they die.

    An actor that dies more than MOST_QUICK times in a row, each within QUICK_S of its first answer or before it, is
    given up: a successor would die too. Pauses between such deaths double.
    """

    def __init__(self, cluster: Cluster, recipes: Mapping[str, Recipe], first_epoch: int, log: Logger) -> None:
        self.handles: dict[str, Any] = {}
        self.usage: dict[str, ProcessUsage] = {}
        self.restarts: defaultdict[str, int] = defaultdict(int)
        self._cluster = cluster
        self._node = cluster.node
        self._recipes = dict(recipes)
        self._epochs = dict.fromkeys(recipes, first_epoch)
        self._answered_s: dict[str, float] = {}
        self._quick: defaultdict[str, int] = defaultdict(int)
        self._log = log

    def hire(self) -> None:
        """Make all of them, and wait until they answer. Raises what building one raised, ActorDied."""
        for name in self._recipes:
            self._make(name)
        self.usage = self._cluster.ready(self.handles.items())
        for name, usage in self.usage.items():
            self._answered(name, usage)

    def revive(self, name: str, fault: ActorDied) -> Any:
        """End what is left of the actor and make its successor; the handle.

        Raises ActorDied when the actor is given up, and `fault` itself where it is not this actor's own death: an actor
        that waited in vain for another says so in the same words.
        """
        if fault.place != name:
            raise fault
        answered_s = self._answered_s.pop(name, None)
        quick = answered_s is None or time.monotonic() - answered_s < QUICK_S
        self._quick[name] = self._quick[name] + 1 if quick else 0
        if self._quick[name] > MOST_QUICK:
            raise ActorDied(
                name,
                f"it died {self._quick[name]} times in a row within {QUICK_S:g} s; the last time: {fault.found}",
                "a process that lives",
                "Look into desk.log; correct what kills it, and go on with `desk run --resume`.",
            ) from fault
        if self._quick[name] > 1:
            time.sleep(FIRST_PAUSE_S * 2 ** self._quick[name])
        self._log.warning("%s; a successor is made", fault)
        self._cluster.end(name)
        self._epochs[name] += 1
        self.restarts[name] += 1
        return self._make(name)

    def pardon(self, name: str) -> None:
        """Its quick deaths so far do not count: it got further, or why it dies is known and mended."""
        self._quick[name] = 0

    def note_usage(self, name: str, usage: ProcessUsage) -> None:
        """What the actor said of its process; a new process is logged."""
        known = self.usage.get(name)
        if known is None or known.pid != usage.pid:
            self._answered(name, usage)
        self.usage[name] = usage

    def gone(self) -> list[tuple[str, ActorDied]]:
        """Who has no process any more, of those on this node: known at once, where a call would tell it later."""
        found = []
        for name in self._answered_s:
            usage = self.usage[name]
            if usage.node == self._node and not is_running(usage.pid):
                fault = ActorDied(name, f"its process {usage.pid} is gone", "a process that lives as long as the run")
                found.append((name, fault))
        return found

    def _answered(self, name: str, usage: ProcessUsage) -> None:
        self._answered_s[name] = time.monotonic()
        self.usage[name] = usage
        self._log.info("%s runs in process %d on %s", name, usage.pid, usage.node or "this machine")

    def _make(self, name: str) -> Any:
        with told(name):
            handle = self.handles[name] = self._recipes[name](self._epochs[name])
        return handle


def is_running(pid: int) -> bool:
    """Whether the machine has a process of this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
