"""Checks the `history` that a strategy class declares, and the `bars` that its entry of the plan asks for.

Tests: tests/desk/loading/test_declared_history.py
"""

from collections.abc import Mapping
from typing import Final

from desk.loading.fault_messages import safe_class_name, safe_repr
from desk.loading.user_code import translate_user_errors
from desk.model.errors import StrategyError
from desk.model.timeframes import TIMEFRAMES, Timeframe, timeframe_of
from desk.strategy import Strategy

MOST_BARS: Final = 2_000
"""The most bars of one timeframe that a strategy may declare: they are a part of every checkpoint of their symbol."""
_KNOWN: Final = "one of " + ", ".join(f'"{timeframe}"' for timeframe in TIMEFRAMES)
_EXAMPLE: Final = 'a table such as {"1d": 20, "5m": 5}'


def read_history(cls: type[Strategy], place: str) -> dict[Timeframe, int]:
    """The number of bars of before the exchange day that the class needs, by timeframe, shortest first.

    Raises StrategyError.
    """
    name = f"{safe_class_name(cls)}.history"
    remedy = "Declare it as a class attribute."
    with translate_user_errors(place, f"reading `{name}`", _EXAMPLE, remedy):
        declared: object = cls.history
        if not isinstance(declared, Mapping):
            raise StrategyError(place, f"`{name}` is {safe_repr(declared)}", _EXAMPLE, remedy)
        found = {_timeframe(key, name, place): _count(key, count, name, place) for key, count in declared.items()}
    return {timeframe: found[timeframe] for timeframe in TIMEFRAMES if timeframe in found}


def check_bars(cls: type[Strategy], bars: tuple[Timeframe, ...], place: str) -> None:
    """Raise StrategyError if the plan names timeframes for a class without `on_bar`."""
    if bars != ("1m",) and not hasattr(cls, "on_bar"):
        raise StrategyError(
            place,
            f"bars = [{', '.join(safe_repr(timeframe) for timeframe in bars)}] for `{safe_class_name(cls)}`, which has "
            "no `on_bar`",
            "a class that defines `on_bar(self, ctx, bar)`",
            "Define it, or leave `bars` out: `ctx.bars_of` needs no entry there.",
        )


def _timeframe(key: object, name: str, place: str) -> Timeframe:
    known = timeframe_of(key)
    if known is None:
        raise StrategyError(place, f"`{name}` names the timeframe {safe_repr(key)}", _KNOWN, "Correct it.")
    return known


def _count(key: object, count: object, name: str, place: str) -> int:
    if type(count) is not int or not 1 <= count <= MOST_BARS:
        found = f"`{name}[{safe_repr(key)}]` is {safe_repr(count)}"
        raise StrategyError(place, found, f"a whole number of bars from 1 to {MOST_BARS:,}", "Correct it.")
    return count
