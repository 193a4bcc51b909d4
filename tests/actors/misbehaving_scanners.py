"""Scanners for test plans that misbehave after a given minute."""

import os
from collections.abc import Callable
from typing import Any, Final

from desk import scanner, strategy
from desk.model.units import MINUTE_NS
from tests.actors.misbehaving_strategy import DEEDS

IN_ACTOR: Final = "RAYDESK_STARTED_BY"
"""In the environment of the desk's own processes that run strategies or scanners, and of what they start."""


class MisbehavingScanner(scanner.Scanner):
    """Wants `symbols`, and from minute `minute` on does `deed` instead."""

    class Params(strategy.Params, frozen=True):
        """`deed` is one of DEEDS or NONSENSE; `at_start`: done when it is built, in an actor."""

        deed: str
        minute: float = 0.0
        symbols: tuple[str, ...] = ()
        at_start: bool = False

    params: Params

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        if params.at_start and IN_ACTOR in os.environ:
            DEEDS[params.deed]()
        self.start_ns = 0

    def scan(self, market: scanner.MarketSnapshot) -> Any:
        self.start_ns = self.start_ns or market.now_ns
        if (market.now_ns - self.start_ns) / MINUTE_NS < self.params.minute:
            return list(self.params.symbols)
        if self.params.deed in NONSENSE:
            return NONSENSE[self.params.deed]()
        DEEDS[self.params.deed]()
        return list(self.params.symbols)


class Unreadable:
    def __str__(self) -> str:
        raise SystemExit


NONSENSE: Final[dict[str, Callable[[], object]]] = {
    "nothing": lambda: None,
    "strangers": lambda: ["no such symbol"],
    "unreadable": lambda: [Unreadable()],
    "millions": lambda: ["SYN0000"] * 10_000_000,
}
