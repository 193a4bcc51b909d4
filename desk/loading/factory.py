"""The factory of a plan's class: it has created one instance as a test, and it can be pickled."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TypeVar

from desk.loading.classes import find_class
from desk.loading.declared_history import read_history
from desk.loading.fault_messages import safe_class_name
from desk.loading.hooks import check_hooks, check_method
from desk.loading.params import read_params
from desk.loading.pickling import check_pickles
from desk.loading.user_code import ProcessSettings, translate_user_errors
from desk.model.errors import StrategyError
from desk.model.timeframes import Timeframe
from desk.scanner import Scanner
from desk.strategy import Params, Strategy

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StrategyFactory:
    """A strategy class with its params, and the bars of before the exchange day that it needs, by timeframe.

    It is pickled by the class's name, so the other process imports the module.
    """

    cls: type[Strategy]
    params: Params
    history: Mapping[Timeframe, int] = field(default_factory=dict)

    def create(self) -> Strategy:
        """A new instance with its own copy of the params, which it may change."""
        return self.cls(deepcopy(self.params))


@dataclass(frozen=True, slots=True)
class ScannerFactory:
    """A scanner class with its params, pickled likewise."""

    cls: type[Scanner]
    params: Params

    def create(self) -> Scanner:
        """A new instance with its own copy of the params."""
        return self.cls(deepcopy(self.params))


def load_strategy(use: str, params: Mapping[str, object], place: str) -> StrategyFactory:
    """Load the strategy class at `use`, and check one instance of it.

    Raises StrategyError for any fault; `place` is the entry's place in the plan.
    """
    with _loading(use, place):
        cls = find_class(use, Strategy, place)
        factory = StrategyFactory(cls, read_params(cls, params, place), read_history(cls, place))
        check_pickles(factory.params, place, f"{safe_class_name(cls)}.Params")
        strategy = _build(factory.create, use, place)
        check_hooks(strategy, place)
        check_pickles(strategy, place)
        check_pickles(factory, place)
        return factory


def load_scanner(use: str, params: Mapping[str, object], place: str) -> ScannerFactory:
    """Load the scanner class at `use`, likewise."""
    with _loading(use, place):
        cls = find_class(use, Scanner, place)
        if cls.scan is Scanner.scan:
            found = f"`{safe_class_name(cls)}` does not define `scan`"
            remedy = "Define it: it returns the picked symbols, best first."
            raise StrategyError(place, found, "`def scan(self, market)`", remedy)
        factory = ScannerFactory(cls, read_params(cls, params, place))
        check_pickles(factory.params, place, f"{safe_class_name(cls)}.Params")
        scanner = _build(factory.create, use, place)
        check_method(scanner, "scan", ("market",), place)
        check_pickles(scanner, place)
        check_pickles(factory, place)
        return factory


@contextmanager
def _loading(use: str, place: str) -> Iterator[None]:
    """Protect the process while user code is loaded, and translate errors that no other check expects."""
    remedy = "Correct the code that raises, such as a property or a metaclass."
    with (
        translate_user_errors(place, f"loading `{use}`", "a class that loads without an error", remedy),
        ProcessSettings(place, use),
    ):
        yield


def _build(create: Callable[[], T], use: str, place: str) -> T:
    remedy = "Correct its `__init__(self, params)`, or the params in the plan."
    with translate_user_errors(place, f"building `{use}`", "a class that `Class(params)` builds", remedy, unchanged=()):
        return create()
