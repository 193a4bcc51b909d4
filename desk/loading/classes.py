"""Finds the class of a plan's `use`.

Tests: tests/desk/loading/test_factory.py
"""

import importlib
import importlib.util
import pkgutil
import sys
import traceback
from types import ModuleType
from typing import Any, Final, TypeVar

from desk.loading.fault_messages import (
    UNKNOWN_PLACE,
    cause,
    did_you_mean,
    is_subclass,
    kind_and_message,
    place_in_code,
    safe_class_name,
)
from desk.loading.user_code import CtrlCInterrupt, translate_user_errors
from desk.model.errors import StrategyError

T = TypeVar("T")

_IMPORTERS: Final = (__file__, importlib.__file__)


def find_class(use: str, base: type[T], place: str) -> type[T]:
    """Import the subclass of `base` at `use` ("package.module:Class"). Raises StrategyError."""
    module_name, _, name = use.partition(":")
    if not (name.isidentifier() and all(part.isidentifier() for part in module_name.split("."))):
        raise StrategyError(
            place,
            f'use = "{use}"',
            'text of the form "package.module:Class"',
            f"Name the module, a colon, and the {base.__name__} class in it.",
        )
    module = _import(module_name, place)
    try:
        found = _attribute(module, name, use, place)
    except AttributeError as fault:
        raise _no_class(module, name, base, place) from fault
    if not is_subclass(found, base):
        raise _wrong_class(use, found, base, place)
    return found


def _attribute(module: ModuleType, name: str, use: str, place: str) -> Any:
    remedy = "Correct the module's `__getattr__`."
    with translate_user_errors(
        place, f"looking up `{use}`", "a class in that module", remedy, unchanged=(AttributeError,)
    ):
        return getattr(module, name)


def _import(name: str, place: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as fault:
        missing = fault.name
        if missing is not None and f"{name}.".startswith(f"{missing}."):
            raise _no_module(name, missing, place) from fault
        raise StrategyError(
            place,
            f"`{name}` cannot be imported: `{missing or fault}` is not installed ({place_in_code(fault)})",
            "a module whose own imports succeed",
            "Install the missing module in the desk's environment, or correct the import.",
        ) from fault
    except SyntaxError as fault:
        raise _invalid_python(name, fault.msg or "a SyntaxError", _source(name, fault), place) from fault
    except CtrlCInterrupt:
        raise
    except BaseException as fault:
        if not _has_run(fault):
            raise _invalid_python(name, kind_and_message(fault), _origin(name), place) from fault
        where = place_in_code(fault)
        why = cause(fault) if where != UNKNOWN_PLACE else f"{kind_and_message(fault)} ({_origin(name)})"
        raise StrategyError(
            place,
            f"`{name}` cannot be imported: it raised {why}",
            "a module that imports without an error",
            "Correct the code at its top level.",
        ) from fault


def _has_run(fault: BaseException) -> bool:
    """Whether code of the module has run.

    Otherwise it failed to compile: a null byte raises ValueError before Python 3.11.4, and code that is nested too
    deeply RecursionError or MemoryError.
    """
    files = [frame.filename for frame in traceback.extract_tb(fault.__traceback__)]
    return any(not file.startswith("<frozen importlib") and file not in _IMPORTERS for file in files)


def _source(name: str, fault: SyntaxError) -> str:
    """File and line. Python gives neither for a file that is not text."""
    if fault.filename:
        return f"{fault.filename}, line {fault.lineno}"
    return f"the module that {place_in_code(fault)}, imports" if _has_run(fault) else _origin(name)


def _origin(name: str) -> str:
    """The module's file, for errors without a place."""
    spec = importlib.util.find_spec(name)
    return str(spec.origin) if spec else name


def _invalid_python(name: str, what: str, source: str, place: str) -> StrategyError:
    return StrategyError(
        place, f"`{name}` cannot be imported: {what} in {source}", "valid Python", "Correct that line."
    )


def _no_module(name: str, missing: str, place: str) -> StrategyError:
    parent, _, _ = missing.rpartition(".")
    path = getattr(sys.modules.get(parent), "__path__", []) if parent else []
    siblings = [f"{parent}.{module.name}" for module in pkgutil.iter_modules(path)]
    remedy = did_you_mean(missing, siblings) or "Write its path from the working directory, and start the desk there."
    return StrategyError(place, f"no module `{missing}`", f"`{name}` to be importable", remedy)


def _no_class(module: ModuleType, name: str, base: type, place: str) -> StrategyError:
    known = sorted(attribute for attribute, value in vars(module).items() if is_subclass(value, base))
    expected = "one of " + ", ".join(f"`{each}`" for each in known) if known else f"a subclass of {base.__name__}"
    remedy = did_you_mean(name, known) or f"Name a {base.__name__} of that module."
    return StrategyError(place, f"no class `{name}` in `{module.__name__}`", expected, remedy)


def _wrong_class(use: str, found: object, base: type, place: str) -> StrategyError:
    if found is base:
        what, remedy = f"is {base.__name__} itself", "Name a class that inherits from it."
    elif not issubclass(type(found), type):
        what, remedy = (
            f"is not a class but of type {safe_class_name(type(found))}",
            f"Name a class, without calling it: {use}.",
        )
    else:
        what = f"is a class, but not a {base.__name__}"
        remedy = f"Let it inherit from {base.__module__}.{base.__name__}, or move the entry to the table it belongs to."
    return StrategyError(place, f"`{use}` {what}", f"a subclass of {base.__module__}.{base.__name__}", remedy)
