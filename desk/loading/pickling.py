"""Whether an instance survives pickling: checkpoints, moves and restarts carry strategies as pickles."""

import pickle

from desk.model.errors import StrategyError


def check_pickles(instance: object, place: str) -> None:
    """Raises StrategyError, naming the attribute at fault where there is one."""
    fault = _fault(instance)
    if fault is None:
        return
    name = type(instance).__name__
    for attribute, value in getattr(instance, "__dict__", {}).items():
        inner = _fault(value)
        if inner is not None:
            found = f"`{name}.{attribute}` ({type(value).__name__}) does not pickle: {inner}"
            break
    else:
        found = f"`{name}` does not pickle: {fault}"
    raise StrategyError(
        place,
        found,
        "state that pickles: numbers, text, lists, dicts, dataclasses, numpy arrays, instances of top-level classes",
        "Keep plain data in `self`; make functions, locks, files and connections where they are used.",
    )


def _fault(value: object) -> str | None:
    try:
        copy = pickle.loads(pickle.dumps(value))  # noqa: S301 - its own pickle, written in the same expression
    except Exception as fault:  # noqa: BLE001 - pickling runs the author's code, which may raise anything
        return f"{type(fault).__name__}: {fault}"
    return None if type(copy) is type(value) else f"it comes back as {type(copy).__name__}"
