"""What the guard leaves behind before each call of a strategy, so that one can tell from outside where a process hangs.

A call is the instance's crumb plus the hook's code; 0 stands for everything outside of strategies.
"""

from typing import Final, Protocol

from desk.strategy import HOOKS

CALL: Final = 0
AT: Final = 1
SUSPECT: Final = 2
CELLS: Final = 3
EVERYWHERE: Final = "*"
"""Stands for the symbol where a call, or a stop, is about a strategy as a whole."""

CALLS: Final = (*HOOKS, "__init__", "checkpoint", "restore", "load", "scan")
"""What the guard calls, by code. That of `on_second` is 0, which spares the hottest loop an addition."""
CODES: Final = {call: code for code, call in enumerate(CALLS)}
PER_INSTANCE: Final = 16


class Cells(Protocol):
    """Whole numbers by place."""

    def __setitem__(self, place: int, value: int, /) -> None: ...


class BreadcrumbWriter(Protocol):
    """Where the guard writes. `cells[CALL]` is the call under way, `cells[AT]` what it is about.

    `cells[SUSPECT]` is the last call in which the process started a thread or another process, or did something else
    that may end it later (`desk.process.exit_watch`).
    What a call is about is a tick's ordinal, a bar's minute, an order event's number, session time, or 0 where it is
    no hook.
    """

    @property
    def cells(self) -> Cells:
        """Where to write."""
        ...

    def register(self, strategy: str, symbol: str) -> int:
        """The crumb of an instance, a multiple of PER_INSTANCE: of none other so far, unless nobody looks."""
        ...

    def on_memory_exhausted(self) -> None:
        """A strategy had no more memory and was stopped: leave room for the others."""
        ...


class NoBreadcrumbs:
    """Nobody looks."""

    def __init__(self) -> None:
        self.cells = [0] * CELLS

    def register(self, strategy: str, symbol: str) -> int:  # noqa: ARG002 - nobody asks
        """All are alike."""
        return 0

    def on_memory_exhausted(self) -> None:
        """There is no limit here."""
