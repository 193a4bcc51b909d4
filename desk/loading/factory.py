"""The factory of a plan's entry: tried once, and picklable into other processes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import TypeVar

from desk.loading.classes import find_class
from desk.loading.fault_messages import safe_class_name
from desk.loading.hooks import check_hooks, check_method
from desk.loading.params import read_params
from desk.loading.pickling import check_pickles
from desk.loading.user_code import ProcessSettings, translate_user_errors
from desk.model.errors import StrategyError
from desk.scanner import Scanner
from desk.strategy import Params, Strategy

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StrategyFactory:
    """A strategy class with its params. It pickles by the class's name: the module must import where it arrives."""

    cls: type[Strategy]
    params: Params

    def create(self) -> Strategy:
        """A fresh instance, with params of its own: one that changes a list in them changes no other's."""
        return self.cls(deepcopy(self.params))


@dataclass(frozen=True, slots=True)
class ScannerFactory:
    """A scanner class with its params; likewise."""

    cls: type[Scanner]
    params: Params

    def create(self) -> Scanner:
        """A fresh instance."""
        return self.cls(deepcopy(self.params))


def load_strategy(use: str, params: Mapping[str, object], place: str) -> StrategyFactory:
    """The factory of the strategy that a plan's entry names, after one instance was built and tried.

    `place` says where the entry stands, for the StrategyError that is raised for whatever is wrong with it.
    """
    with _loading(use, place):
        cls = find_class(use, Strategy, place)
        factory = StrategyFactory(cls, read_params(cls, params, place))
        check_pickles(factory.params, place, f"{safe_class_name(cls)}.Params")
        strategy = _build(factory.create, use, place)
        check_hooks(strategy, place)
        check_pickles(strategy, place)
        check_pickles(factory, place)
        return factory


def load_scanner(use: str, params: Mapping[str, object], place: str) -> ScannerFactory:
    """The factory of the scanner that a plan's entry names, likewise."""
    with _loading(use, place):
        cls = find_class(use, Scanner, place)
        if cls.scan is Scanner.scan:
            found = f"`{safe_class_name(cls)}` does not define `scan`"
            remedy = "Let it return the symbols it wants, best first."
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
    """The surroundings of all of it; what is raised where the parts below expect nothing is told in general words."""
    remedy = "Correct what it raises there: a property, a metaclass, or another hook of Python's."
    with (
        translate_user_errors(place, f"loading `{use}`", "a class that loads without an error", remedy),
        ProcessSettings(place, use),
    ):
        yield


def _build(create: Callable[[], T], use: str, place: str) -> T:
    remedy = "Correct its `__init__(self, params)`, or the params it was given."
    with translate_user_errors(place, f"building `{use}`", "a class that `Class(params)` builds", remedy, passing=()):
        return create()
