"""Runs scanners on a live market: it is read when a scan is due, which may take seconds."""

from collections.abc import Iterable, Sequence
from typing import Final

from desk.model.bars import Bar
from desk.model.live_symbol import LiveSymbol
from desk.model.records import ScanAnswer
from desk.ports import LiveMarket, MarketUnavailable
from desk.scanning.live_view import LiveMarketView
from desk.scanning.scanner_calls import ScannerCalls
from desk.telemetry.formatting import exchange_time, some

MAX_WARNINGS: Final = 20


class LiveScannerRunner:
    """Runs the scanners that are due at a mark; marks without a question are not made up for.

    `read` may run in another thread than `run`, not at the same time. If the market cannot be read, the last answers
    stay in force: `fault` says so while it lasts, `warnings` when it is over. Minutes of symbols are not known here:
    the session's history is another part's.
    """

    def __init__(self, market: LiveMarket, view: LiveMarketView, calls: ScannerCalls) -> None:
        self.calls = calls
        self.fault = ""
        self.warnings: list[str] = []
        self._market = market
        self._view = view
        self._read: list[LiveSymbol] | None = None
        self._why = ""
        self._failed = 0
        self._failed_from_ns = 0

    @property
    def scans(self) -> int:
        """Calls of scanners so far."""
        return self.calls.scans

    @property
    def problems(self) -> list[str]:
        """The faults of scanners, each once."""
        return self.calls.problems

    def is_due(self, mark_ns: int) -> bool:
        """Whether the period of a scanner ends at this mark."""
        return bool(self.calls.due(mark_ns))

    def read(self, subscribed: Sequence[str]) -> None:
        """Read the market, with these symbols."""
        try:
            self._read = self._market.read(subscribed)
        except MarketUnavailable as fault:
            self._read, self._why = None, str(fault)

    def run(self, mark_ns: int) -> list[ScanAnswer]:
        """Run the scanners that are due at this mark on the market as it was read last."""
        read, self._read = self._read, None
        self._warn(self._market.take_notes())
        if read is None:
            return self._keep(mark_ns)
        note = self._recover(mark_ns)
        self._view.take(mark_ns, read)
        return _with_problem(self.calls.call(mark_ns, self._view.snapshot()), note)

    def scan(self, mark_ns: int, subscribed: Sequence[str]) -> list[ScanAnswer]:
        """Read the market, and run the scanners that are due at this mark."""
        if not self.is_due(mark_ns):
            return []
        self.read(subscribed)
        return self.run(mark_ns)

    def history(self, symbols: Iterable[str], until_ns: int) -> dict[str, list[Bar]]:  # noqa: ARG002 - the port's
        """No minutes."""
        return {symbol: [] for symbol in symbols}

    def remembered(self, symbols: Iterable[str], until_ns: int) -> dict[str, bytes]:  # noqa: ARG002 - the port's
        """No trades."""
        return {}

    def _keep(self, mark_ns: int) -> list[ScanAnswer]:
        """The last answers, because the market could not be read; a first failure is noted."""
        self._failed += 1
        first = self._failed == 1
        if first:
            self._failed_from_ns = mark_ns
        since = exchange_time(self._failed_from_ns)
        self.fault = f"the market could not be scanned since {since}; scanners keep their last symbols: {self._why}"
        return _with_problem(self.calls.last(mark_ns), self.fault if first else "")

    def _recover(self, mark_ns: int) -> str:
        """The note that the market can be read again; "" if it always could."""
        if not self._failed:
            return ""
        span = f"from {exchange_time(self._failed_from_ns)} to {exchange_time(mark_ns)}"
        note = f"the market could not be scanned {span} ({some(self._failed, 'scan')} failed): {self._why}"
        self._warn([note])
        self._failed, self.fault = 0, ""
        return note

    def _warn(self, notes: Iterable[str]) -> None:
        for note in notes:
            if note not in self.warnings and len(self.warnings) < MAX_WARNINGS:
                self.warnings.append(note)


def _with_problem(answers: list[ScanAnswer], note: str) -> list[ScanAnswer]:
    """The answers, the first with this remark; without a remark they keep their own."""
    if note and answers:
        answers[0].problem = f"{note}\n{answers[0].problem}" if answers[0].problem else note
    return answers
