"""Runs scanners on their periods, and answers with the symbols that they want."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from desk.model.bars import Bar
from desk.model.errors import RunFailed
from desk.model.records import ScanAnswer
from desk.model.units import SECOND_NS, ceil_to
from desk.scanner import MarketSnapshot
from desk.scanning.scanner_calls import ScannerCalls, ScannerEntry
from desk.telemetry.breadcrumb_port import Cells

MAX_ANSWERED: Final = 100_000
MAX_WITH_MINUTES: Final = 16


class ScannerView(Protocol):
    """The scanners' own view of the market."""

    def advance(self, until_ns: int) -> None:
        """Read the rows received before `until_ns`."""
        ...

    def snapshot(self) -> MarketSnapshot:
        """The market at the time reached."""
        ...

    def bars(self, symbols: Iterable[str], until_ns: int) -> dict[str, list[Bar]]:
        """The session's minutes of these symbols from the rows received before `until_ns`."""
        ...

    def remembered(self, symbols: Iterable[str]) -> dict[str, bytes]:
        """The encoded remembered trades of these symbols at the time reached; symbols without any are left out."""
        ...


class SymbolHistory(NamedTuple):
    """History of a symbol before the time from which it is watched."""

    bars: list[Bar]
    remembered: bytes


class ScannerRunner:
    """Runs the scanners that are due at a mark, and gives the same answer to a repeated question.

    Scanners run once at every mark at which they are due, in order, from the session's start on; marks without a
    question are made up for first. So a restarted runner reaches the state of its predecessor with one pass over the
    market. The answers of the last MAX_ANSWERED marks are kept.

    `afresh` makes another, unread view of the same market, for minutes of a time that `view` has already passed.
    Without it such minutes are not available.

    A scanner that raises keeps its last answer and is reported, once per kind of fault; the others continue. A stopped
    scanner is not called: its answer is marked `stopped`, and its last symbols stay in force. `cells` hold the call
    under way.
    """

    def __init__(
        self,
        view: ScannerView,
        entries: Iterable[ScannerEntry],
        session_start_ns: int,
        afresh: Callable[[], ScannerView] | None = None,
        cells: Cells | None = None,
    ) -> None:
        self.calls = ScannerCalls(entries, session_start_ns, cells)
        self._view = _Market(view, afresh)
        self._start_ns = session_start_ns
        self._ran_ns = session_start_ns
        self._answers: dict[int, list[ScanAnswer]] = {}
        self._minutes: dict[int, dict[str, SymbolHistory]] = {}

    @property
    def scans(self) -> int:
        """Calls of scanners so far."""
        return self.calls.scans

    @property
    def fault(self) -> str:
        """Nothing: a market that can be read again is always there."""
        return ""

    @property
    def warnings(self) -> list[str]:
        """None: likewise."""
        return []

    @property
    def problems(self) -> list[str]:
        """The faults of scanners, each once."""
        return self.calls.problems

    def due(self, mark_ns: int) -> list[ScannerEntry]:
        """The scanners whose period ends at this mark."""
        return self.calls.due(mark_ns)

    def scan(self, mark_ns: int, subscribed: Sequence[str]) -> list[ScanAnswer]:
        """Answers of the scanners due now, with the minutes of new symbols up to the next mark.

        `subscribed` only decides for which symbols minutes are included. Raises RunFailed for a mark whose answers are
        no longer kept.
        """
        if not self.due(mark_ns):
            return []
        self._run(mark_ns)
        if mark_ns not in self._answers:
            raise RunFailed(
                "scanners",
                f"the answers at mark {mark_ns} are no longer kept",
                f"one of the last {MAX_ANSWERED:,} marks with an answer",
                "Run again; with a shorter [flow] checkpoint_s fewer marks are repeated after a restart.",
            )
        answers = self._answers[mark_ns]
        known = frozenset(subscribed)
        new = sorted({symbol for answer in answers for symbol in answer.symbols if symbol not in known})
        past = self._minutes_at(mark_ns, new)
        return [
            ScanAnswer(
                answer.scanner,
                list(answer.symbols),
                {symbol: past[symbol].bars for symbol in answer.symbols if symbol in past},
                answer.problem,
                {
                    symbol: past[symbol].remembered
                    for symbol in answer.symbols
                    if symbol in past and past[symbol].remembered
                },
                answer.stopped,
            )
            for answer in answers
        ]

    def history(self, symbols: Iterable[str], until_ns: int) -> dict[str, list[Bar]]:
        """The session's minutes of these symbols; an empty list for one without a trade."""
        return {symbol: past.bars for symbol, past in self._past(list(symbols), until_ns).items()}

    def remembered(self, symbols: Iterable[str], until_ns: int) -> dict[str, bytes]:
        """The encoded remembered trades of these symbols at that time; symbols without any are left out."""
        past = self._past(list(symbols), until_ns)
        return {symbol: each.remembered for symbol, each in past.items() if each.remembered}

    def _past(self, wanted: list[str], until_ns: int) -> dict[str, SymbolHistory]:
        if not wanted:
            return {}
        # The view must not pass a mark at which scanners have yet to run.
        self._run(until_ns - 1)
        return self._view.past(wanted, until_ns)

    def _run(self, upto_ns: int) -> None:
        """Run the scanners due at every mark up to this one that have not run yet."""
        for mark_ns in self._marks(upto_ns):
            self._answers[mark_ns] = self.calls.call(mark_ns, self._view.at(mark_ns))
            self._ran_ns = mark_ns
            _keep(self._answers, MAX_ANSWERED)

    def _marks(self, upto_ns: int) -> list[int]:
        """The marks up to this one at which a scanner is due and has not run, oldest first."""
        start_ns = ceil_to(self._start_ns, SECOND_NS)
        ran_s = max(self._ran_ns - start_ns, 0) // SECOND_NS
        return sorted(
            {
                mark_ns
                for every_s in self.calls.periods_s
                for mark_ns in range(
                    start_ns + (ran_s // every_s + 1) * every_s * SECOND_NS, upto_ns + 1, every_s * SECOND_NS
                )
            }
        )

    def _minutes_at(self, mark_ns: int, symbols: Iterable[str]) -> dict[str, SymbolHistory]:
        """The minutes of these symbols for the answers of a mark."""
        kept = self._minutes.get(mark_ns, {})
        missing = [symbol for symbol in symbols if symbol not in kept]
        if missing:
            kept |= self._past(missing, mark_ns + SECOND_NS)
            self._minutes[mark_ns] = kept
            _keep(self._minutes, MAX_WITH_MINUTES)
        return {symbol: kept[symbol] for symbol in symbols}


class _Market:
    """A view that advances, and a second one for times that it has passed; for rising times that is read once, too."""

    def __init__(self, view: ScannerView, afresh: Callable[[], ScannerView] | None) -> None:
        self._view = view
        self._reached_ns = 0
        self._afresh = afresh
        self._past: ScannerView | None = None
        self._past_ns = 0

    def at(self, mark_ns: int) -> MarketSnapshot:
        """The market at a time that the view has not passed."""
        self._view.advance(mark_ns)
        self._reached_ns, self._past = mark_ns, None
        return self._view.snapshot()

    def past(self, symbols: list[str], until_ns: int) -> dict[str, SymbolHistory]:
        """The minutes of these symbols from the rows received before `until_ns`, which may have been passed."""
        if until_ns >= self._reached_ns or self._afresh is None:
            view = self._view
            self._reached_ns, self._past = until_ns, None
        else:
            if self._past is None or until_ns < self._past_ns:
                self._past = self._afresh()
            self._past_ns = until_ns
            view = self._past
        bars, remembered = view.bars(symbols, until_ns), view.remembered(symbols)
        return {symbol: SymbolHistory(bars.get(symbol, []), remembered.get(symbol, b"")) for symbol in symbols}


def _keep(remembered: dict[int, Any], most: int) -> None:
    """Delete the oldest entries."""
    while len(remembered) > most:
        del remembered[next(iter(remembered))]
