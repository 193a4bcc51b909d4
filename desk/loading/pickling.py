"""Checks that instances can be pickled: checkpoints, moves and restarts pickle strategies.

Tests: tests/desk/loading/test_factory.py
"""

import pickle

from desk.loading.fault_messages import kind_and_message, safe_class_name
from desk.loading.user_code import CtrlCInterrupt
from desk.model.errors import StrategyError


def check_pickles(instance: object, place: str, called: str = "") -> None:
    """Raise StrategyError, with the attribute at fault if there is one. `called` replaces the class's name."""
    fault = _fault(instance)
    if fault is None:
        return
    name = called or safe_class_name(type(instance))
    fields = {field: getattr(instance, field) for field in getattr(instance, "__struct_fields__", ())}
    for attribute, value in {**fields, **getattr(instance, "__dict__", {})}.items():
        inner = _fault(value)
        if inner is not None:
            found = f"`{name}.{attribute}` ({safe_class_name(type(value))}) does not pickle: {inner}"
            break
    else:
        found = f"`{name}` does not pickle: {fault}"
    raise StrategyError(
        place,
        found,
        "state that pickles: numbers, text, lists, dicts, dataclasses, numpy arrays, instances of top-level classes",
        "Keep plain data in `self`; create functions, locks, files and connections where they are used.",
    )


def _fault(value: object) -> str | None:
    try:
        copy = pickle.loads(pickle.dumps(value))  # noqa: S301 - the pickle is written in the same expression
    except CtrlCInterrupt:
        raise
    except BaseException as fault:  # noqa: BLE001 - pickling runs the author's code, which may raise anything
        return kind_and_message(fault)
    return None if type(copy) is type(value) else f"it is unpickled as {safe_class_name(type(copy))}"
