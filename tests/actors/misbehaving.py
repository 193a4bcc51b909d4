"""A strategy that plans of tests name: it decides nothing, and once, when it is time, it does what no strategy should."""

import ctypes
import os
import re
from collections.abc import Callable
from typing import Final, Never

from desk import strategy
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS

HOARD: Final[list[bytes]] = []


def spin() -> Never:
    while True:
        pass


def backtrack() -> None:
    """Hang within one call that does not let go of the interpreter."""
    re.match("(a|aa)+$", "a" * 100 + "b")


def fail() -> Never:
    raise ValueError("so it is")


def hoard() -> Never:
    hoarded = []
    while True:
        hoarded.append(bytes(1 << 20))


def hoard_for_good() -> Never:
    while True:
        HOARD.append(bytes(1 << 20))


def leave() -> Never:
    os._exit(3)


def crash() -> None:
    ctypes.string_at(0)


DEEDS: Final[dict[str, Callable[[], object]]] = {
    deed.__name__: deed for deed in (spin, backtrack, fail, hoard, hoard_for_good, leave, crash)
}


class Misbehaving(strategy.Strategy):
    """Does `deed` on its symbol's first trade, or first second, from minute `minute` of the session on."""

    class Params(strategy.Params, frozen=True):
        """`deed` is one of DEEDS."""

        deed: str
        minute: float
        on_second: bool = False

    params: Params

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        if not self.params.on_second:
            self._act(ctx)

    def on_second(self, ctx: strategy.Context) -> None:
        if self.params.on_second:
            self._act(ctx)

    def _act(self, ctx: strategy.Context) -> None:
        if ctx.now_ns - ctx.session_start_ns >= self.params.minute * MINUTE_NS:
            DEEDS[self.params.deed]()
