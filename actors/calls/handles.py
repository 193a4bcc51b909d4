"""Typed calls of actors: by a method of the actor's class or protocol, never by a name in a string.

Ray types only calls of methods decorated with `@ray.method`; the desk's actors are plain classes.
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
    """Call the method without waiting for the result."""
    return bound(handle, method)(*args, **kwargs)


def bound(handle: ActorHandle[A], method: Callable[Concatenate[A, P], R]) -> Callable[P, ObjectRef[R]]:
    """Return the bound method for repeated calls: binding costs more than a call."""
    remote: Any = getattr(handle, method.__name__)
    made: Callable[P, ObjectRef[R]] = remote.remote
    return made
