"""Typed calls of actors: by a method of the actor's class or of a protocol that it has, never by a name in a string.

Ray types the calls of methods that `@ray.method` decorates, and only those; the desk's actors are plain classes.
"""

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from ray import ObjectRef
from ray.actor import ActorHandle

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")


def call(
    handle: ActorHandle[A], method: Callable[Concatenate[A, P], R], *args: P.args, **kwargs: P.kwargs
) -> ObjectRef[R]:
    """Call without waiting for the result."""
    return bound(handle, method)(*args, **kwargs)


def bound(handle: ActorHandle[A], method: Callable[Concatenate[A, P], R]) -> Callable[P, ObjectRef[R]]:
    """The method of this actor, for many calls: making it costs more than a call of it."""
    remote: Any = getattr(handle, method.__name__)
    made: Callable[P, ObjectRef[R]] = remote.remote
    return made
