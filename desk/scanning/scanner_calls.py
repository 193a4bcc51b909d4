"""Calls scanners on a snapshot of the market, and keeps their last answers.

Tests: tests/desk/scanning/test_runner.py
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np

from desk.model.interrupt_origin import is_from_signal
from desk.model.records import ScanAnswer
from desk.model.units import SECOND_NS
from desk.scanner import MarketSnapshot, Scanner
from desk.scanning.read_only_market import ReadOnlyMarket
from desk.telemetry.audit import fault_line, fault_trace
from desk.telemetry.breadcrumb_port import AT, CALL, CODES, Cells, NoBreadcrumbs

MAX_PROBLEMS: Final = 20
SCAN: Final = CODES["scan"]


class ScannerEntry(msgspec.Struct):
    """A `[[scanners]]` entry with its scanner; for a stopped one None and the reason."""

    name: str
    scanner: Scanner | None
    every_s: int
    max_symbols: int
    crumb: int = 0
    stopped: str = ""


class ScannerCalls:
    """The scanners of a session. One that raises keeps its last answer and is reported, once per kind of fault.

    A stopped scanner is not called: its answer is marked `stopped`, and its last symbols stay in force. `cells` hold
    the call under way.
    """

    def __init__(self, entries: Iterable[ScannerEntry], session_start_ns: int, cells: Cells | None = None) -> None:
        self.scans = 0
        self.problems: list[str] = []
        self._cells = cells or NoBreadcrumbs().cells
        self._entries = tuple(entries)
        self._start_ns = session_start_ns
        self._last: dict[str, list[str]] = {entry.name: [] for entry in self._entries}

    @property
    def periods_s(self) -> set[int]:
        """The periods of the scanners."""
        return {entry.every_s for entry in self._entries}

    def due(self, mark_ns: int) -> list[ScannerEntry]:
        """The scanners whose period ends at this mark."""
        elapsed_s = (mark_ns - self._start_ns) // SECOND_NS
        return [entry for entry in self._entries if elapsed_s > 0 and elapsed_s % entry.every_s == 0]

    def call(self, mark_ns: int, market: MarketSnapshot) -> list[ScanAnswer]:
        """Call the scanners that are due at this mark, each with a copy of the market."""
        sealed = ReadOnlyMarket(market)
        self._cells[AT] = mark_ns
        return [self._ask(entry, sealed) for entry in self.due(mark_ns)]

    def last(self, mark_ns: int) -> list[ScanAnswer]:
        """The last answers of the scanners that are due at this mark, without a call."""
        return [
            ScanAnswer(entry.name, self._last[entry.name], stopped=entry.scanner is None) for entry in self.due(mark_ns)
        ]

    def _ask(self, entry: ScannerEntry, sealed: ReadOnlyMarket) -> ScanAnswer:
        if entry.scanner is None:
            return ScanAnswer(entry.name, [], stopped=True)
        self.scans += 1
        problem = ""
        market = sealed.snapshot()
        self._cells[CALL] = entry.crumb + SCAN
        try:
            wished = _symbols(entry.scanner.scan(market), entry.max_symbols)
            _require_known(wished, market)
            self._last[entry.name] = wished
        except BaseException as fault:
            if is_from_signal(fault):
                raise
            problem = f"scanner {entry.name} failed: {fault_line(fault)}\n{fault_trace(fault)}"
            self._note(problem)
        self._cells[CALL] = 0
        return ScanAnswer(entry.name, self._last[entry.name], problem=problem)

    def _note(self, problem: str) -> None:
        if problem not in self.problems and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)


def _symbols(answer: object, most: int) -> list[str]:
    """The symbols that `scan` returned (a list, a tuple or an array) as plain str, not numpy's."""
    if isinstance(answer, list | tuple | np.ndarray):
        return [str(symbol) for symbol in answer[:most]]
    raise TypeError(f"scan returned {type(answer).__name__}; expected a list of symbols")


def _require_known(symbols: list[str], market: MarketSnapshot) -> None:
    unknown = sorted(set(symbols).difference(market.symbols))
    if unknown:
        raise LookupError(f"it names unknown symbols: {', '.join(unknown[:5])}")
