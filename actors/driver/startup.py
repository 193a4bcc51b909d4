"""The start-up of a desk on Ray: creates the actors and waits until the session can begin.

Tests: tests/actors/test_stops.py
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from actors.calls.peers import consumer_name
from actors.driver.actor_registry import ActorRegistry
from actors.driver.monitor import CONTROL, PRODUCER, Monitor
from actors.driver.pending_actors import PendingActors
from actors.driver.scaler import Scaler
from desk.model.errors import ActorDied, DeskError
from desk.runs import RunFolder
from desk.wiring.run_start import RunStart

LATE_S: Final = 20.0
"""The limit of the wait for all consumers; the wait for a first one may take as long as a node takes to start."""
NOBODY_S: Final = 1200.0


class StartUp:
    """Creates the actors in two steps: all but the producer, then the producer."""

    def __init__(
        self,
        registry: ActorRegistry,
        monitor: Monitor,
        scaler: Scaler,
        pending: PendingActors,
        numbers: Mapping[str, int],
    ) -> None:
        self._registry = registry
        self._monitor = monitor
        self._scaler = scaler
        self._pending = pending
        self._numbers = numbers

    def run(self, begun: RunStart, first_count: int, folder: RunFolder) -> RunStart:
        """Create the actors; return the run with the consumers with which its session begins.

        Consumers that are late do not delay the session: it begins with those that answered. A resume waits for each
        consumer that holds a part of the session. Raises the error of a constructor, and ActorDied if no consumer
        starts.
        """
        names = [name for name, number in self._numbers.items() if number in begun.shards or number < first_count]
        needed = {consumer_name(number) for number in begun.shards}
        since_s = time.monotonic()

        def enough() -> bool:
            now_s = time.monotonic()
            self._pending.look(self._registry.awaited_since_s, now_s)
            here = set(self._registry.answered)
            missing = (set(self._registry.handles) - set(names) | needed) - here
            if not missing and not here.isdisjoint(names):
                return now_s - since_s > LATE_S
            if now_s - since_s > NOBODY_S:
                raise self._nobody(missing or set(names))
            return False

        self._make([*filter(self._registry.has_spec, CONTROL), *names], enough)
        present = [self._numbers[name] for name in names if name in self._registry.answered]
        if not begun.resume.first:
            resume = msgspec.structs.replace(begun.resume, first=present)
            folder.resume.write(resume)
            begun = msgspec.structs.replace(begun, resume=resume)
        self._scaler.begin(present)
        return begun

    def make_producer(self) -> None:
        """Create the producer, and wait until it answers."""
        self._make([PRODUCER], lambda: PRODUCER in self._registry.answered)

    def _make(self, names: Sequence[str], enough: Callable[[], bool]) -> None:
        """Create these actors, and wait until all of them answer or `enough` is true."""
        for name in names:
            self._registry.create(name)
        while self._registry.awaited_since_s and not enough():
            self._monitor.turn()

    def _nobody(self, missing: set[str]) -> DeskError:
        waiting = "; ".join(self._pending.notes) or ", ".join(sorted(missing)) + " did not answer"
        remedy = "Lower [consumers] count or cpus, or add nodes."
        return ActorDied(min(missing), waiting, "room for it on the cluster", remedy)
