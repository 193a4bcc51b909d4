"""Breadcrumbs: the guard records each call of a strategy, so that a hung process shows from outside where it hangs.

A call is the instance's crumb plus the hook's code; 0 means that no strategy is being called.
"""

from typing import Final, Protocol

from desk.strategy import HOOKS

CALL: Final = 0
AT: Final = 1
SUSPECT: Final = 2
CELLS: Final = 3
EVERYWHERE: Final = "*"
"""The symbol of a call or stop that concerns a strategy on all symbols."""

CALLS: Final = (*HOOKS, "__init__", "checkpoint", "restore", "load", "scan")
"""The calls of the guard, by code. The code of `on_second` is 0, which saves the hottest loop an addition."""
CODES: Final = {call: code for code, call in enumerate(CALLS)}
PER_INSTANCE: Final = 16


class Cells(Protocol):
    """Whole numbers by index."""

    def __setitem__(self, place: int, value: int, /) -> None: ...


class BreadcrumbWriter(Protocol):
    """The interface to which the guard writes. `cells[CALL]` is the call under way, `cells[AT]` its subject.

    `cells[SUSPECT]` is the last call in which the process started a thread or another process, or did something else
    that may end it later (`desk.process.exit_watch`). The subject is a tick's ordinal, a bar's minute, an order event's
    number, session time, or 0 if the call is no hook.
    """

    @property
    def cells(self) -> Cells:
        """The cells to write to."""
        ...

    def register(self, strategy: str, symbol: str) -> int:
        """The crumb of an instance: a multiple of PER_INSTANCE, unique unless breadcrumbs are not recorded."""
        ...

    def on_memory_exhausted(self) -> None:
        """React to a strategy that was stopped for lack of memory: free memory for the others."""
        ...


class NoBreadcrumbs:
    """Discards breadcrumbs, for a process without a watchdog."""

    def __init__(self) -> None:
        self.cells = [0] * CELLS

    def register(self, strategy: str, symbol: str) -> int:  # noqa: ARG002 - not recorded
        """Return 0 for every instance."""
        return 0

    def on_memory_exhausted(self) -> None:
        """Do nothing: the process has no memory limit."""
