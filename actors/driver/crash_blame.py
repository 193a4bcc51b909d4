"""Finds the strategy or scanner that caused deaths and hangs of an actor's process."""

from collections import defaultdict
from typing import Final, TypeVar

from desk.model.items import Stop
from desk.process.breadcrumbs import Breadcrumb
from desk.telemetry.breadcrumb_port import EVERYWHERE

DEATHS_IN_A_CALL: Final = 3
CRASHES: Final = 2
DEATHS_OF_A_STRATEGY: Final = 6
MOST_SYMBOLS: Final = 3
K = TypeVar("K")


class CrashBlame:
    """Choose the strategy to stop, by the breadcrumbs of dead processes.

    - A process that ended itself has left a note: the strategy that ended it is stopped at once. If another thread
      ended it, the last suspect is stopped: the strategy that last did something suspicious, such as starting a thread.
    - Without a note the process may have been killed from outside, at a random moment, rarely twice in the same call.
      So a strategy is stopped after CRASHES fatal signals in a row (with a trace) or DEATHS_IN_A_CALL deaths in the
      same call, and for all symbols after DEATHS_OF_A_STRATEGY deaths in any of its calls or, outside of calls, as the
      suspect.

    A strategy that has been stopped for MOST_SYMBOLS symbols is stopped for all.
    """

    def __init__(self) -> None:
        self._in_a_row: dict[str, tuple[object, int]] = {}
        self._of_strategy: dict[str, tuple[str, int]] = {}
        self._stopped: defaultdict[str, set[str]] = defaultdict(set)

    def blame_for_hang(self, actor: str, crumb: Breadcrumb, hang_s: float) -> Stop:
        """Return the stop for a call that hangs."""
        return self._stop(actor, crumb.strategy, crumb.symbol, f"no progress for {hang_s:g} s in {crumb.hook}")

    def blame_for_death(self, actor: str, crumb: Breadcrumb | None) -> Stop | None:
        """Return the stop for a process that died; None if no strategy is to blame, or not yet."""
        blamed = _blamed(crumb)
        if crumb is None or blamed is None:
            self._forget(actor)
            return None
        strategy, symbol, hook = blamed
        where = f"in {hook}" if _in_call(crumb) else f"after {hook}"
        if crumb.ended:
            return self._stop(actor, strategy, symbol, f"its process was ended {where} by {crumb.ended}")
        of_strategy = _count(self._of_strategy, actor, strategy)
        if crumb.crash:
            crashes = _count(self._in_a_row, actor, ("crash", strategy, symbol))
            if crashes >= CRASHES:
                why = f"its process crashed {crashes} times in a row {where}: {crumb.crash}"
                return self._stop(actor, strategy, symbol, why)
        elif _in_call(crumb):
            deaths = _count(self._in_a_row, actor, crumb.call)
            if deaths >= DEATHS_IN_A_CALL:
                why = f"its process died {deaths} times in a row {where} (at {crumb.at})"
                return self._stop(actor, strategy, symbol, why)
        if of_strategy >= DEATHS_OF_A_STRATEGY:
            why = f"its process died {of_strategy} times in a row, the last time {where}"
            return self._stop(actor, strategy, EVERYWHERE if symbol else symbol, why)
        return None

    def _stop(self, actor: str, strategy: str, symbol: str, why: str) -> Stop:
        self._forget(actor)
        if not symbol:  # a scanner
            return Stop(strategy, symbol, why)
        symbols = self._stopped[strategy]
        symbols.add(symbol)
        if symbol != EVERYWHERE and len(symbols) < MOST_SYMBOLS:
            return Stop(strategy, symbol, why)
        return Stop(strategy, EVERYWHERE, why)

    def _forget(self, actor: str) -> None:
        self._in_a_row.pop(actor, None)
        self._of_strategy.pop(actor, None)


def _in_call(crumb: Breadcrumb) -> bool:
    return bool(crumb.hook) and not crumb.in_thread


def _blamed(crumb: Breadcrumb | None) -> tuple[str, str, str] | None:
    if crumb is None:
        return None
    return (crumb.strategy, crumb.symbol, crumb.hook) if _in_call(crumb) else crumb.suspect


def _count(row: dict[str, tuple[K, int]], actor: str, key: K) -> int:
    before = row.get(actor)
    count = before[1] + 1 if before is not None and before[0] == key else 1
    row[actor] = (key, count)
    return count
