"""The crew: every actor of a desk by its name, and a successor for whichever dies."""

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from logging import Logger
from typing import Any, Final

import ray
from ray import ObjectRef
from ray.actor import ActorHandle

from actors.calls.handles import call
from actors.calls.interfaces import SupervisedActor
from actors.calls.peers import translate_ray_errors
from actors.ray_cluster.cluster import Cluster
from desk.model.errors import ActorDied
from desk.report.run_record import ProcessUsage

QUICK_S: Final = 3.0
MOST_QUICK: Final = 6
FIRST_PAUSE_S: Final = 0.05

ActorSpec = Callable[[int], ActorHandle[Any]]
"""Makes one actor, given the epoch of its incarnation; its handle."""


class ActorRegistry:
    """Makes actors by their specs, and again when they die. Those in `answered` have answered; the others are pending.

    An actor that dies more than MOST_QUICK times in a row, each within QUICK_S of its first answer or before it, is
    given up: a successor would die too. Pauses between such deaths double.
    """

    def __init__(self, cluster: Cluster, specs: Mapping[str, ActorSpec], first_epoch: int, log: Logger) -> None:
        self.handles: dict[str, ActorHandle[Any]] = {}
        self.usage: dict[str, ProcessUsage] = {}
        self.restarts: defaultdict[str, int] = defaultdict(int)
        self.awaited_since_s: dict[str, float] = {}
        self._cluster = cluster
        self._specs = dict(specs)
        self._epochs = dict.fromkeys(specs, first_epoch)
        self._answered_s: dict[str, float] = {}
        self._calls: dict[ObjectRef[ProcessUsage], str] = {}
        self._quick: defaultdict[str, int] = defaultdict(int)
        self._log = log

    @property
    def answered(self) -> list[str]:
        """Whose incarnation has answered."""
        return list(self._answered_s)

    def create(self, name: str) -> None:
        """Make one, and await it."""
        with translate_ray_errors(name):
            handle = self.handles[name] = self._specs[name](self._epochs[name])
            self._calls[call(handle, SupervisedActor.usage)] = name
        self.awaited_since_s[name] = time.monotonic()

    def accept_answers(self, timeout_s: float = 0.0) -> int:
        """Take in who of those awaited has answered; how many. Raises what building one raised, ActorDied."""
        if not self._calls:
            return 0
        done, _ = ray.wait(list(self._calls), num_returns=1, timeout=timeout_s)
        for ref in done:
            name = self._calls.pop(ref)
            with translate_ray_errors(name):
                usage = ray.get(ref)
            del self.awaited_since_s[name]
            self._answered_s[name] = time.monotonic()
            self.usage[name] = usage
            self._log.info("%s runs in process %d on %s", name, usage.pid, usage.node or "this machine")
        return len(done)

    @property
    def calls(self) -> list[ObjectRef[ProcessUsage]]:
        """Calls by which those awaited will answer."""
        return list(self._calls)

    def restart(self, name: str, fault: ActorDied) -> None:
        """End what is left of the actor and make its successor.

        Raises ActorDied when the actor is given up, and `fault` itself where it is not this actor's own death: an actor
        that waited in vain for another says so in the same words.
        """
        if fault.place != name:
            raise fault
        answered_s = self._answered_s.get(name)
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
        self._forget(name)
        self._epochs[name] += 1
        self.restarts[name] += 1
        self.create(name)

    def dismiss(self, name: str) -> None:
        """End an actor that is not needed any more; another made under its name has a higher epoch."""
        self._forget(name)
        del self.handles[name]
        self._epochs[name] += 1

    def forget_quick_deaths(self, name: str) -> None:
        """Its quick deaths so far do not count: it got further, or why it dies is known and mended."""
        self._quick[name] = 0

    def note_usage(self, name: str, usage: ProcessUsage) -> None:
        """What the actor said of its process."""
        self.usage[name] = usage

    def dead_actors(self) -> list[tuple[str, ActorDied]]:
        """Who has no process any more, of those on this node: known at once, where a call would tell it later."""
        found = []
        for name in self._answered_s:
            usage = self.usage[name]
            if usage.node == self._cluster.node and not is_running(usage.pid):
                fault = ActorDied(name, f"its process {usage.pid} is gone", "a process that lives as long as the run")
                found.append((name, fault))
        return found

    def kill(self) -> None:
        """Kill the actors on this node: a process that is stopped (SIGSTOP) does not end when Ray asks it to."""
        for name in self._answered_s:
            usage = self.usage[name]
            if usage.node == self._cluster.node and is_running(usage.pid):
                os.kill(usage.pid, signal.SIGKILL)

    def _forget(self, name: str) -> None:
        self._cluster.end(name)
        self._answered_s.pop(name, None)
        self.awaited_since_s.pop(name, None)
        self._calls = {ref: other for ref, other in self._calls.items() if other != name}


def is_running(pid: int) -> bool:
    """Whether the machine has a process of this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
