"""Checks the hooks of a strategy. The engine finds hooks by name, so a mistyped one would never run.

Tests: tests/desk/loading/test_factory.py
"""

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Final

from desk.loading.fault_messages import cause, safe_class_name
from desk.loading.user_code import CtrlCInterrupt, translate_user_errors
from desk.model.errors import StrategyError
from desk.strategy import HOOKS, Strategy

ARGUMENTS: Final = {"on_bar": ("ctx", "bar"), "on_trade": ("ctx", "trade"), "on_quote": ("ctx", "quote")} | {
    "on_second": ("ctx",),
    "on_fill": ("ctx", "fill"),
    "on_gap": ("ctx", "gap"),
    "on_status": ("ctx", "status"),
}

_OTHER_NAMES: Final = {
    "on_tick": "`on_trade` or `on_quote`",
    "on_data": "`on_trade` or `on_quote`",
    "on_timer": "`on_second`",
    "on_minute": "`on_bar`",
    "on_order": "`on_fill`",
    "on_halt": "`on_status`",
}
"""Hook names of other trading systems, with the desk's names for them."""

_KNOWN: Final = "one of " + ", ".join(f"`{hook}`" for hook in HOOKS)


def check_hooks(strategy: Strategy, place: str) -> None:
    """Raise StrategyError if there are no hooks, unknown hooks, or hooks that the engine cannot call."""
    cls = type(strategy)
    for name in dir(cls):
        if name.startswith("on_") and name not in HOOKS and callable(getattr(cls, name)):
            raise _unknown(cls, name, place)
    hooks = [hook for hook in HOOKS if hasattr(cls, hook) or hook in getattr(strategy, "__dict__", ())]
    if not hooks:
        remedy = "Define the hook in which it should act."
        raise StrategyError(place, f"`{safe_class_name(cls)}` defines no hook, so it would never run", _KNOWN, remedy)
    for hook in hooks:
        check_method(strategy, hook, ARGUMENTS[hook], place)


def check_method(owner: object, name: str, arguments: tuple[str, ...], place: str) -> None:
    """Check that the method accepts these arguments and is not asynchronous. Raises StrategyError."""
    expected = f"`def {name}(self, {', '.join(arguments)})`"
    where = f"`{safe_class_name(type(owner))}.{name}`"
    try:
        method: Callable[..., Any] = getattr(owner, name)
    except CtrlCInterrupt:
        raise
    except BaseException as fault:
        found = f"{where} raised {cause(fault)} when it was looked up"
        raise StrategyError(place, found, expected, "Define it as a method.") from fault
    if not callable(method):
        raise StrategyError(place, f"{where} is not a method", expected, "Define it as a method.")
    if inspect.iscoroutinefunction(method) or inspect.isgeneratorfunction(method) or inspect.isasyncgenfunction(method):
        remedy = "A call would not run it: write a plain method, without async or yield."
        raise StrategyError(place, f"{where} is a coroutine or generator", expected, remedy)
    with translate_user_errors(place, f"the signature of {where}", expected, "Define it as a plain method."):
        signature = inspect.signature(method)
    try:
        signature.bind(*arguments)
    except TypeError as fault:
        found = f"{where} takes {signature}: {fault}"
        raise StrategyError(place, found, expected, "Give it these arguments.") from fault


def _unknown(cls: type, name: str, place: str) -> StrategyError:
    close = get_close_matches(name, HOOKS, n=1, cutoff=0.75)
    meant = f"`{close[0]}`" if close else _OTHER_NAMES.get(name)
    remedy = f"Did you mean {meant}?" if meant else "Give it a hook's name, or a name that does not start with `on_`."
    return StrategyError(place, f"`{safe_class_name(cls)}.{name}` is not a hook, so it would never run", _KNOWN, remedy)
