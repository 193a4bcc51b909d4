from collections.abc import Mapping
from typing import Any

import pytest

from desk import strategy
from desk.loading.declared_history import MOST_BARS, check_bars, read_history
from desk.model.bars import Bar
from desk.model.errors import StrategyError

PLACE = "plan.toml, [[strategies]] #1"


def a_class(history: Any) -> type[strategy.Strategy]:
    return type("Mine", (strategy.Strategy,), {"history": history})


@pytest.mark.parametrize("history", [{"1d": 20, "5m": 5}, {"1m": 1, "1d": MOST_BARS}, {}])
def test_declared_timeframes_are_read_shortest_first(history: dict[str, int]) -> None:
    found = read_history(a_class(history), PLACE)

    assert found == history
    assert list(found) == sorted(found, key=("1m", "5m", "15m", "1h", "1d").index)


def test_a_class_that_declares_nothing_needs_nothing() -> None:
    assert read_history(strategy.Strategy, PLACE) == {}


@pytest.mark.parametrize(
    ("history", "found", "expected", "remedy"),
    [
        ({"2d": 20}, "`Mine.history` names the timeframe '2d'", 'one of "1m", "5m", "15m", "1h", "1d"', "Correct it."),
        ({"5min": 1}, "names the timeframe '5min'", 'one of "1m"', "Correct it."),
        ({7: 1}, "names the timeframe 7", 'one of "1m"', "Correct it."),
        ({"1d": 0}, "`Mine.history['1d']` is 0", "a whole number of bars from 1 to 2,000", "Correct it."),
        ({"1d": MOST_BARS + 1}, "is 2001", "a whole number of bars from 1 to 2,000", "Correct it."),
        ({"1d": 2.0}, "is 2.0", "a whole number of bars", "Correct it."),
        ({"1d": True}, "is True", "a whole number of bars", "Correct it."),
        (["1d"], "`Mine.history` is ['1d']", 'a table such as {"1d": 20, "5m": 5}', "Declare it as a class attribute."),
        (lambda self: {"1d": 1}, "`Mine.history` is <function", "a table such as", "Declare it as a class attribute."),
    ],
)
def test_a_declaration_that_cannot_be_met_is_refused_with_its_place(
    history: Any, found: str, expected: str, remedy: str
) -> None:
    with pytest.raises(StrategyError) as caught:
        read_history(a_class(history), PLACE)

    assert caught.value.place == PLACE
    assert found in caught.value.found
    assert expected in caught.value.expected
    assert remedy in caught.value.remedy


def test_a_declaration_that_raises_is_refused() -> None:
    class Broken(Mapping[str, int]):
        def __getitem__(self, key: str) -> int:
            raise ZeroDivisionError("broken")

        def __iter__(self) -> Any:
            return iter(["1d"])

        def __len__(self) -> int:
            return 1

    with pytest.raises(StrategyError, match=r"reading `Mine.history` raised ZeroDivisionError: broken"):
        read_history(a_class(Broken()), PLACE)


def test_timeframes_for_a_class_without_on_bar_are_refused() -> None:
    class Seconds(strategy.Strategy):
        def on_second(self, ctx: strategy.Context) -> None: ...

    class Bars(Seconds):
        def on_bar(self, ctx: strategy.Context, bar: Bar) -> None: ...

    check_bars(Seconds, ("1m",), PLACE)
    check_bars(Bars, ("5m", "1d"), PLACE)
    with pytest.raises(StrategyError, match=r"bars = \['5m'\] for `Seconds`, which has no `on_bar`") as caught:
        check_bars(Seconds, ("5m",), PLACE)
    assert caught.value.place == PLACE
