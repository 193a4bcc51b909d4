"""The scanners' work: on their period, look at the market and name the symbols they want."""

import traceback
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec
import numpy as np

from desk.model.bars import Bar
from desk.model.records import ScanAnswer
from desk.model.units import SECOND_NS
from desk.scanner import MarketSnapshot, Scanner

MAX_PROBLEMS = 20


class View(Protocol):
    """The scanners' own view of the market."""

    def advance(self, until_ns: int) -> None:
        """Take in the rows received before `until_ns`."""
        ...

    def snapshot(self) -> MarketSnapshot:
        """The market as taken in so far."""
        ...

    def bars(self, symbols: Iterable[str], until_ns: int) -> dict[str, list[Bar]]:
        """The session's minutes of these symbols from the rows received before `until_ns`."""
        ...


class ScannerEntry(msgspec.Struct):
    """A `[[scanners]]` entry with its scanner."""

    name: str
    scanner: Scanner
    every_s: int
    max_symbols: int


class Scanning:
    """Runs the scanners that are due at a mark.

    A scanner that raises keeps its last wish and is reported, once per kind of fault; the others go on.
    """

    def __init__(self, view: View, entries: Iterable[ScannerEntry], session_start_ns: int) -> None:
        self.scans = 0
        self.problems: list[str] = []
        self._view = view
        self._entries = tuple(entries)
        self._start_ns = session_start_ns
        self._last: dict[str, list[str]] = {entry.name: [] for entry in self._entries}

    def due(self, mark_ns: int) -> list[ScannerEntry]:
        """The scanners whose period ends at this mark."""
        elapsed_s = (mark_ns - self._start_ns) // SECOND_NS
        return [entry for entry in self._entries if elapsed_s > 0 and elapsed_s % entry.every_s == 0]

    def scan(self, mark_ns: int, subscribed: Sequence[str]) -> list[ScanAnswer]:
        """Answers of the scanners due now, with the minutes of new symbols as they will be at the next mark."""
        entries = self.due(mark_ns)
        if not entries:
            return []
        self._view.advance(mark_ns)
        market = self._view.snapshot()
        answers = [self._ask(entry, market) for entry in entries]
        known = frozenset(subscribed)
        new = sorted({symbol for answer in answers for symbol in answer.symbols if symbol not in known})
        bars = self.history(new, mark_ns + SECOND_NS)
        for answer in answers:
            answer.bars = {symbol: bars[symbol] for symbol in answer.symbols if symbol in bars}
        return answers

    def history(self, symbols: Iterable[str], until_ns: int) -> dict[str, list[Bar]]:
        """The session's minutes of these symbols; an empty list for one without a trade."""
        wanted = list(symbols)
        found = self._view.bars(wanted, until_ns) if wanted else {}
        return {symbol: found.get(symbol, []) for symbol in wanted}

    def _ask(self, entry: ScannerEntry, market: MarketSnapshot) -> ScanAnswer:
        self.scans += 1
        problem = ""
        try:
            wished = _symbols(entry.scanner.scan(market))[: entry.max_symbols]
            _require_known(wished, market)
            self._last[entry.name] = wished
        except KeyboardInterrupt:
            raise
        except BaseException as fault:  # noqa: BLE001 - whatever a scanner raises is reported, and stops nobody else
            problem = f"scanner {entry.name} failed: {''.join(traceback.format_exception(fault)).strip()}"
            self._note(problem)
        return ScanAnswer(entry.name, self._last[entry.name], problem=problem)

    def _note(self, problem: str) -> None:
        if problem not in self.problems and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)


def _symbols(answer: object) -> list[str]:
    """What `scan` returned as plain text, which numpy's is not: a list, a tuple or an array of symbols."""
    if isinstance(answer, list | tuple | np.ndarray):
        return [str(symbol) for symbol in answer]
    raise TypeError(f"scan returned {type(answer).__name__}; expected a list of symbols")


def _require_known(symbols: list[str], market: MarketSnapshot) -> None:
    strangers = sorted(set(symbols).difference(market.symbols))
    if strangers:
        raise LookupError(f"it names symbols that the market does not have: {', '.join(strangers[:5])}")
