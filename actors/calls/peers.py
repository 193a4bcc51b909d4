"""Calls to other actors by name, repeated to a successor when the actor dies.

All these calls are idempotent: it does not matter whether the dead actor had executed the call.

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
"""The limit of the wait for a successor: as long as a new machine may take to start."""
LOOK_EVERY_S: Final = 0.02
COLLECT_EVERY_S: Final = 0.05
A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")


def consumer_name(shard: int) -> str:
    """The name of the consumer actor."""
    return f"consumer-{shard:02}"


@contextmanager
def translate_task_errors() -> Iterator[None]:
    """Raise the original error of the actor's code; a death propagates as Ray's error."""
    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from error
        raise


@contextmanager
def translate_ray_errors(actor: str) -> Iterator[None]:
    """Raise ActorDied for a dead actor, and the original error for an error of the actor's code."""
    try:
        with translate_task_errors():
            yield
    except RayActorError as error:
        raise actor_died(actor, error) from error


def actor_died(actor: str, error: Exception) -> ActorDied:
    """The error for an actor whose process has died."""
    return ActorDied(
        actor,
        f"its process has died ({ray_error_line(error)})",
        "a process that runs until the run ends",
        "Check desk.log and the machine's memory, and run again.",
    )


def no_successor(actor: str) -> ActorDied:
    """The error for an actor whose successor does not start in time."""
    return ActorDied(
        actor,
        f"its process has died, and no successor started within {PATIENCE_S:.0f} s",
        "a successor",
        "Check desk.log and the machine's memory, and run again with --resume.",
    )


def ray_error_line(error: Exception) -> str:
    """The message of Ray's error, on one line."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())


class Peer(Generic[A]):
    """The running incarnation of the actor of this name, with the methods of A."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._handle: ActorHandle[A] | None = None
        self._dead: ActorHandle[A] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return (Peer, (self.name,))

    def find(self) -> bool:
        """Look up the actor once; whether there is an incarnation not known to be dead."""
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
        """The incarnation that calls go to; pass it to `lost` when it has died."""
        return self._handle

    def lost(self, incarnation: ActorHandle[A] | None) -> None:
        """Mark this incarnation as dead. An earlier one than the current is ignored."""
        if incarnation is not None and incarnation == self.incarnation:
            self._dead, self._handle = incarnation, None

    def kill(self) -> None:
        """Kill the incarnation last called, so that no two incarnations run."""
        if self._handle is not None:
            ray.kill(self._handle, no_restart=True)

    def call(self, method: Callable[Concatenate[A, P], R], *args: P.args, **kwargs: P.kwargs) -> ObjectRef[R]:
        """Call without waiting for the answer; wait for a successor if the actor is down. Raises ActorDied."""
        return call(self._wait(), method, *args, **kwargs)

    def bound(self, method: Callable[Concatenate[A, P], R]) -> Callable[P, ObjectRef[R]]:
        """Return the bound method of the running incarnation. Waits and raises as `call`."""
        return bound(self._wait(), method)

    def ask(self, method: Callable[Concatenate[A, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call and wait for the answer; repeat the call if the actor dies first. Raises the actor's error."""
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
    """Asynchronous calls of one method: kept until acknowledged, and repeated in order to a successor."""

    def __init__(self, peer: Peer[A], method: Callable[[A, bytes], object]) -> None:
        self.answered = 0
        self._peer = peer
        self._method = method
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._refs: deque[ObjectRef[object]] = deque()
        self._sent_to: ActorHandle[A] | None = None
        self._collected_s = 0.0

    def put(self, number: int, payload: bytes) -> None:
        """Send the call, or keep it until a successor starts."""
        self._waiting.append((number, payload))
        self._send()
        self.collect()

    def replace(self, number: int, payload: bytes) -> None:
        """Send, and drop all unacknowledged calls, which this one supersedes."""
        self._waiting.clear()
        self._refs.clear()
        self.put(number, payload)

    def collect(self) -> None:
        """Drop acknowledged calls; checks at most once per interval. Raises the actor's error."""
        now_s = time.monotonic()
        if self._waiting and now_s - self._collected_s >= COLLECT_EVERY_S:
            self._collected_s = now_s
            self._send()
            self._take(wait=False)

    def waiting(self) -> list[bytes]:
        """The unacknowledged calls, oldest first."""
        self._collected_s = 0.0
        self.collect()
        return [payload for _, payload in self._waiting]

    def settle(self) -> None:
        """Wait until all calls are acknowledged. Raises the actor's error; ActorDied if no successor starts."""
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
