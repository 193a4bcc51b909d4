"""Errors of actor constructors: the first call raises the original exception; Ray would give a traceback as text."""

import functools
from collections.abc import Callable
from typing import Any

from ray.exceptions import RayError

from desk.loading.fault_messages import cause
from desk.model.errors import DeskError, RunFailed

FAULT = "_construction_fault"


def reporting_faults(plain: type) -> type:
    """Return a subclass for Ray that survives an error in its constructor; every method then raises that error.

    Without this, Ray reports a failed constructor as a death of the actor, and an error in the plan would be retried.
    Ray's own errors in a constructor propagate: they are deaths of other actors or of the node. The dashboard shows the
    class by its `DASHBOARD_NAME` if it has one.
    """
    methods = {
        name: _raising_fault(method)
        for name, method in vars(plain).items()
        if callable(method) and not name.startswith("_")
    }

    represent: Any = plain.__repr__

    def build(self: Any, *args: Any) -> None:
        try:
            plain.__init__(self, *args)  # type: ignore[misc]  # the plain class's own constructor, on its subclass
        except RayError:
            raise
        except BaseException as fault:  # noqa: BLE001 - SystemExit would count as a death and be retried
            setattr(self, FAULT, _as_desk_error(plain, fault))

    def describe(self: Any) -> str:
        return plain.__name__.lower() if hasattr(self, FAULT) else str(represent(self))

    name: str = getattr(plain, "DASHBOARD_NAME", plain.__name__)
    names = {"__module__": plain.__module__, "__qualname__": name, "__doc__": plain.__doc__}
    return type(name, (plain,), {**names, **methods, "__init__": build, "__repr__": describe})


def _raising_fault(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *args: Any) -> Any:
        fault = self.__dict__.get(FAULT)
        if fault is not None:
            raise fault
        return method(self, *args)

    return call


def _as_desk_error(plain: type, fault: BaseException) -> DeskError:
    if isinstance(fault, DeskError):
        return fault
    return RunFailed(
        plain.__name__.lower(),
        f"it cannot start: {cause(fault)}",
        "a process that starts",
        "Correct what it names, and run again.",
    )
