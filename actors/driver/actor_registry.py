"""The registry of a desk's actors by name; it starts a successor for an actor that dies."""

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
from desk.model.log_line import fields
from desk.report.run_record import ProcessUsage

QUICK_S: Final = 3.0
MOST_QUICK: Final = 6
FIRST_PAUSE_S: Final = 0.05

ActorSpec = Callable[[int], ActorHandle[Any]]
"""Creates one actor with this epoch; returns its handle."""


class ActorRegistry:
    """Create actors by their specs, and restart those that die. Actors not in `answered` are pending.

    A death within QUICK_S of the first answer, or before it, is a quick death. After more than MOST_QUICK quick deaths
    in a row the actor is not restarted. The pauses between quick deaths double.
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
        """The actors whose current incarnation has answered."""
        return list(self._answered_s)

    def has_spec(self, name: str) -> bool:
        """Whether the desk has an actor of this name."""
        return name in self._specs

    def create(self, name: str) -> None:
        """Create an actor; it is pending until it answers."""
        with translate_ray_errors(name):
            handle = self.handles[name] = self._specs[name](self._epochs[name])
            self._calls[call(handle, SupervisedActor.usage)] = name
        self.awaited_since_s[name] = time.monotonic()

    def accept_answers(self, timeout_s: float = 0.0) -> int:
        """Note the pending actors that have answered; return their number.

        Raises the error of an actor's constructor, or ActorDied.
        """
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
            found = fields(actor=name, pid=usage.pid, node=usage.node)
            self._log.info("%s runs in process %d on %s", name, usage.pid, usage.node or "this machine", extra=found)
        return len(done)

    @property
    def calls(self) -> list[ObjectRef[ProcessUsage]]:
        """The first calls of the pending actors."""
        return list(self._calls)

    def restart(self, name: str, fault: ActorDied) -> None:
        """Kill the rest of the actor and start its successor.

        Raises ActorDied after too many quick deaths, and `fault` itself if it is the death of another actor, for which
        this one waited in vain.
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
                "a process that runs",
                "Check desk.log; correct what kills it, and continue with `desk run --resume`.",
            ) from fault
        if self._quick[name] > 1:
            time.sleep(FIRST_PAUSE_S * 2 ** self._quick[name])
        self._log.warning("%s; a successor is started", fault, extra=fields(actor=name))
        self._forget(name)
        self._epochs[name] += 1
        self.restarts[name] += 1
        self.create(name)

    def dismiss(self, name: str) -> None:
        """Stop an actor; a later one of the same name has a higher epoch."""
        self._forget(name)
        del self.handles[name]
        self._epochs[name] += 1

    def forget_quick_deaths(self, name: str) -> None:
        """Reset the count of quick deaths: the actor has made progress, or the cause has been removed."""
        self._quick[name] = 0

    def note_usage(self, name: str, usage: ProcessUsage) -> None:
        """Store the actor's report of its process."""
        self.usage[name] = usage

    def dead_actors(self) -> list[tuple[str, ActorDied]]:
        """The actors on this node whose process has ended, each with its error; found before a call would fail."""
        found = []
        for name in self._answered_s:
            usage = self.usage[name]
            if usage.node == self._cluster.node and not is_running(usage.pid):
                fault = ActorDied(name, f"its process {usage.pid} has died", "a process that runs until the run ends")
                found.append((name, fault))
        return found

    def kill(self) -> None:
        """Kill the actors on this node by signal: Ray cannot end a process stopped by SIGSTOP."""
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
