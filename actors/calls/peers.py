"""Calls to other actors by name: they outlive the death of whoever is called, and are made again to its successor.

Everything that is asked in this way is idempotent: whether the dead one had done it does not matter.

Tests: tests/actors/test_actor_registry.py
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar

import ray
from ray import ObjectRef
from ray.actor import ActorHandle
from ray.exceptions import ActorUnavailableError, RayActorError, RayTaskError

from actors.calls.handles import bound, call
from desk.model.errors import ActorDied

PATIENCE_S: Final = 900.0
"""How long a successor is waited for: as long as it may take a new machine to come."""
LOOK_EVERY_S: Final = 0.02
COLLECT_EVERY_S: Final = 0.05
A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")


def consumer_name(shard: int) -> str:
    """The consumer actor's name."""
    return f"consumer-{shard:02}"


@contextmanager
def translate_task_errors() -> Iterator[None]:
    """What an actor raised is raised as it was; its death passes through."""
    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from error
        raise


@contextmanager
def translate_ray_errors(actor: str) -> Iterator[None]:
    """Turn Ray's words into ours: a dead actor is ActorDied, and what an actor raised is raised as it was."""
    try:
        with translate_task_errors():
            yield
    except RayActorError as error:
        raise actor_died(actor, error) from error


def actor_died(actor: str, error: Exception) -> ActorDied:
    """The fault of an actor whose process is gone."""
    return ActorDied(
        actor,
        f"its process is gone ({ray_error_line(error)})",
        "a process that lives as long as the run",
        "Look into desk.log and the machine's memory, and run again.",
    )


def no_successor(actor: str) -> ActorDied:
    """The fault of an actor whose successor does not come."""
    return ActorDied(
        actor,
        f"its process is gone, and no other has come within {PATIENCE_S:.0f} s",
        "a successor",
        "Look into desk.log and the machine's memory, and run again with --resume.",
    )


def ray_error_line(error: Exception) -> str:
    """What Ray says, on one line."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())


class Peer(Generic[A]):
    """The actor of this name with the methods of A, whichever incarnation lives."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._handle: ActorHandle[A] | None = None
        self._dead: ActorHandle[A] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return (Peer, (self.name,))

    def find(self) -> bool:
        """Look once for an incarnation that is not known to be dead; whether one is there."""
        if self._handle is None:
            try:
                handle = ray.get_actor(self.name)
            except ValueError:
                return False
            if handle == self._dead:
                return False
            self._handle = handle
        return True

    @property
    def incarnation(self) -> ActorHandle[A] | None:
        """Whoever is called now; to be named when it turns out to be dead."""
        return self._handle

    def lost(self, incarnation: ActorHandle[A] | None) -> None:
        """The incarnation is dead. Of one that was called before the one that is called now nothing follows."""
        if incarnation is not None and incarnation == self.incarnation:
            self._dead, self._handle = incarnation, None

    def kill(self) -> None:
        """End the incarnation called last, so that its successor is the only one."""
        if self._handle is not None:
            ray.kill(self._handle, no_restart=True)

    def call(self, method: Callable[Concatenate[A, P], R], *args: P.args, **kwargs: P.kwargs) -> ObjectRef[R]:
        """Call without waiting for the answer; waits for a successor while there is none. Raises ActorDied."""
        return call(self._wait(), method, *args, **kwargs)

    def bound(self, method: Callable[Concatenate[A, P], R]) -> Callable[P, ObjectRef[R]]:
        """The method of the incarnation that is there, to be called without waiting. Waits and raises as `call`."""
        return bound(self._wait(), method)

    def ask(self, method: Callable[Concatenate[A, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call and wait; called again where the actor dies before it has answered. Raises what the actor raises."""
        while True:
            ref = self.call(method, *args, **kwargs)
            asked = self.incarnation
            try:
                with translate_task_errors():
                    return ray.get(ref)
            except ActorUnavailableError:
                time.sleep(LOOK_EVERY_S)
            except RayActorError:
                self.lost(asked)

    def _wait(self) -> ActorHandle[A]:
        end_s = time.monotonic() + PATIENCE_S
        while not self.find() or self._handle is None:
            if time.monotonic() > end_s:
                raise no_successor(self.name)
            time.sleep(LOOK_EVERY_S)
        return self._handle


class Outbox(Generic[A]):
    """Calls of one method made without waiting; kept until answered, and made again to a successor, in their order."""

    def __init__(self, peer: Peer[A], method: Callable[[A, bytes], object]) -> None:
        self.answered = 0
        self._peer = peer
        self._method = method
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._refs: deque[ObjectRef[object]] = deque()
        self._sent_to: ActorHandle[A] | None = None
        self._collected_s = 0.0

    def put(self, number: int, payload: bytes) -> None:
        """Send, as far as there is somebody to send to."""
        self._waiting.append((number, payload))
        self._send()
        self.collect()

    def replace(self, number: int, payload: bytes) -> None:
        """Send, and forget what waits for its answer: this says all that it said."""
        self._waiting.clear()
        self._refs.clear()
        self.put(number, payload)

    def collect(self) -> None:
        """See which are answered, now and then. Raises what the actor raised."""
        now_s = time.monotonic()
        if self._waiting and now_s - self._collected_s >= COLLECT_EVERY_S:
            self._collected_s = now_s
            self._send()
            self._take(wait=False)

    def waiting(self) -> list[bytes]:
        """What is not known to be answered, oldest first."""
        self._collected_s = 0.0
        self.collect()
        return [payload for _, payload in self._waiting]

    def settle(self) -> None:
        """Wait until all are answered. Raises what the actor raised, ActorDied where no successor comes."""
        while self._waiting:
            if not self._refs:
                self._call(self._waiting[0][1])
            self._send()
            self._take(wait=True)

    def _send(self) -> None:
        if len(self._refs) < len(self._waiting) and self._peer.find():
            for _, payload in list(self._waiting)[len(self._refs) :]:
                self._call(payload)

    def _call(self, payload: bytes) -> None:
        self._refs.append(self._peer.call(self._method, payload))
        self._sent_to = self._peer.incarnation

    def _take(self, *, wait: bool) -> None:
        while self._refs:
            if not wait and not ray.wait([self._refs[0]], timeout=0)[0]:
                return
            try:
                with translate_task_errors():
                    ray.get(self._refs[0])
            except RayActorError:
                self._peer.lost(self._sent_to)
                self._refs.clear()
                return
            self._refs.popleft()
            self.answered = self._waiting.popleft()[0]
