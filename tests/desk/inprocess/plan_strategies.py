"""Strategies for test plans."""

import os
import time
from pathlib import Path

from desk import scanner, strategy
from desk.model.units import SECOND_NS


class RaisingStrategy(strategy.Strategy):
    """Raises in its third second."""

    def on_second(self, ctx: strategy.Context) -> None:
        if ctx.now_ns >= ctx.session_start_ns + 3 * SECOND_NS:
            raise ZeroDivisionError("by nothing")


class HangingStrategy(strategy.Strategy):
    """Hangs in its first second, after it has created a file."""

    class Params(strategy.Params, frozen=True):
        """`marker` is the file's path."""

        marker: str

    params: Params

    def on_second(self, ctx: strategy.Context) -> None:
        Path(self.params.marker).touch()
        while True:
            pass


class HangingScanner(scanner.Scanner):
    """Hangs in its first scan."""

    def scan(self, market: scanner.MarketSnapshot) -> list[str]:
        while True:
            time.sleep(3600)


class ForkingStrategy(strategy.Strategy):
    """Leaves a process running."""

    def __init__(self, params: strategy.Params) -> None:
        super().__init__(params)
        self.begun = False

    def on_second(self, ctx: strategy.Context) -> None:
        if not self.begun:
            self.begun = True
            os.posix_spawn("/bin/sleep", ["sleep", "86399"], {})
