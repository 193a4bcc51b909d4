"""A strategy that plans of tests name: it decides nothing, and when it is time, it does what no strategy should."""

import ctypes
import os
import re
import sys
from collections.abc import Callable
from math import inf
from typing import Final, Never

from desk import strategy
from desk.engine.crumbs import CALL
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


def vanish() -> Never:
    """End the process as if no strategy had been called: without a crumb."""
    frame = sys._getframe()
    while "cells" not in frame.f_locals:
        assert frame.f_back is not None
        frame = frame.f_back
    frame.f_locals["cells"][CALL] = 0
    os._exit(3)


DEEDS: Final[dict[str, Callable[[], object]]] = {
    deed.__name__: deed for deed in (spin, backtrack, fail, hoard, hoard_for_good, leave, crash, vanish)
}


class Misbehaving(strategy.Strategy):
    """Does `deed` on its symbol's trades, or seconds, from minute `minute` of the session until `until`."""

    class Params(strategy.Params, frozen=True):
        """`deed` is one of DEEDS."""

        deed: str
        minute: float
        until: float = inf
        on_second: bool = False

    params: Params

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        if not self.params.on_second:
            self._act(ctx, trade.ts_ns)

    def on_second(self, ctx: strategy.Context) -> None:
        if self.params.on_second:
            self._act(ctx, ctx.now_ns)

    def _act(self, ctx: strategy.Context, ts_ns: int) -> None:
        if self.params.minute <= (ts_ns - ctx.session_start_ns) / MINUTE_NS < self.params.until:
            DEEDS[self.params.deed]()
