"""A strategy for test plans that sends no orders, and misbehaves after a given minute."""

import ctypes
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from math import inf
from typing import Final, Never

from desk import strategy
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS
from desk.telemetry.breadcrumb_port import CALL

HOARD: Final[list[bytes]] = []
SLEEP_S: Final = "86399.5"
"""How long the processes sleep that a strategy leaves: no others do so just as long."""


def spin() -> Never:
    while True:
        pass


def backtrack() -> None:
    """Hang within one call that does not release the interpreter lock."""
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


def quit_python() -> Never:
    sys.exit("enough")


def interrupt() -> Never:
    raise KeyboardInterrupt


def shout() -> Never:
    raise ValueError("no" * 5_000_000)


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def raise_kill() -> None:
    signal.raise_signal(signal.SIGKILL)


def leave_natively() -> None:
    ctypes.CDLL(None)._exit(4)


def leave_later() -> None:
    threading.Timer(0.05, os._exit, (5,)).start()


def crash_later() -> None:
    threading.Timer(0.05, ctypes.string_at, (0,)).start()


def set_alarm() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.05)


def close_files() -> None:
    os.closerange(3, 512)


def fork() -> None:
    os.fork()


def start_shell() -> None:
    subprocess.Popen(["sleep", SLEEP_S])


def start_daemon() -> None:
    """A process in a session of its own, with an empty environment, whose parents are gone."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve("/bin/sleep", ["sleep", SLEEP_S], {})
        os._exit(0)


def start_process() -> None:
    multiprocessing.get_context("fork").Process(target=time.sleep, args=(float(SLEEP_S),)).start()


DEEDS: Final[dict[str, Callable[[], object]]] = {
    deed.__name__: deed
    for deed in (
        *(spin, backtrack, fail, hoard, hoard_for_good, leave, crash, vanish, quit_python, interrupt, shout),
        *(kill_itself, raise_kill, leave_natively, leave_later, crash_later, set_alarm, close_files),
        *(fork, start_shell, start_daemon, start_process),
    )
}


class MisbehavingStrategy(strategy.Strategy):
    """Does `deed` on its symbol's trades, or seconds, from minute `minute` of the session until `until`."""

    class Params(strategy.Params, frozen=True):
        """`deed` is one of DEEDS, or hoard_state."""

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
            if self.params.deed == "hoard_state":
                self.hoard = bytes(20 << 20)
            else:
                DEEDS[self.params.deed]()
