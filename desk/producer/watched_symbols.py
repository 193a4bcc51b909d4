"""The watched symbols: those of the plan from the start, and those that scanners want, updated at marks.

Tests: tests/desk/producer/test_loop.py
"""

from typing import Final

from desk.model.bars import Bar
from desk.model.checkpoint import ProducerState
from desk.model.items import Unwatch, Watch
from desk.model.units import SECOND_NS
from desk.ports import Feed, ScannerPort
from desk.producer.subscriptions import ALL, Subscriptions
from desk.telemetry.formatting import exchange_time
from desk.telemetry.note_board import NoteBoard

LATE_NS: Final = 20 * SECOND_NS


class WatchedSymbols:
    """Applies changes of the subscriptions to feed and shards.

    Scanners called at one mark take effect at the next, so that the change has a fixed place in the order of items. A
    live feed does not wait for them: their answers take effect at the first mark at which they are there, and scanners
    that are due meanwhile are not called. The caller puts the returned items into the lanes. `asked_ns` is the mark of
    the pending scanner calls, None without any.
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        scanner: ScannerPort,
        feed: Feed,
        notes: NoteBoard,
        state: ProducerState | None,
    ) -> None:
        self.subscriptions = subscriptions
        self.asked_ns = None if state is None else state.asked_ns
        self._scanner = scanner
        self._feed = feed
        self._notes = notes
        self._late_ns = 0
        if state is not None:
            subscriptions.restore(state.subscriptions)

    def begin(self, start_ns: int, *, warm: bool) -> list[Watch]:
        """Watch the symbols of the plan. `warm`: they are warmed up with the market's rows before the start."""
        symbols = [symbol for symbol in self.subscriptions.symbols if symbol != ALL]
        bars = self._scanner.history(symbols, start_ns) if warm else {}
        remembered = self._scanner.remembered(symbols, start_ns) if warm else {}
        items = []
        for symbol in symbols:
            scanners = self.subscriptions.scanners_of(symbol)
            past = bars.get(symbol, []), remembered.get(symbol, b"")
            items.append(Watch(symbol, start_ns, scanners, warm, *past))
        return items

    def resume(self, mark_ns: int) -> list[Watch | Unwatch]:
        """Continue at the mark of a dead producer's state: repeat its pending scanner calls."""
        if self.asked_ns is not None and not self._call_scanners(self.asked_ns):
            self.asked_ns = None
        return self.at_mark(mark_ns)

    def at_mark(self, mark_ns: int) -> list[Watch | Unwatch]:
        """Apply the answers to the pending calls, then call the scanners that are due."""
        if self.asked_ns is not None and not self._feed.repeatable and not self._scanner.answered():
            self._report_late(self.asked_ns, mark_ns)
            return []
        items: list[Watch | Unwatch] = [] if self.asked_ns is None else self._apply_answers(mark_ns)
        self.asked_ns = mark_ns if self._call_scanners(mark_ns) else None
        return items

    def _report_late(self, asked_ns: int, mark_ns: int) -> None:
        """Note that a scan takes long, once."""
        if mark_ns - asked_ns >= LATE_NS and asked_ns != self._late_ns:
            self._late_ns = asked_ns
            since = exchange_time(asked_ns)
            self._notes.add(f"the scan of {since} has no answer yet; scanners keep their last symbols")

    def _call_scanners(self, mark_ns: int) -> bool:
        return self._scanner.ask(mark_ns, self.subscriptions.symbols)

    def _apply_answers(self, mark_ns: int) -> list[Watch | Unwatch]:
        bars: dict[str, list[Bar]] = {}
        remembered: dict[str, bytes] = {}
        for answer in self._scanner.answers():
            if not answer.stopped:
                self.subscriptions.set_wanted(answer.scanner, answer.symbols)
            bars.update(answer.bars)
            remembered.update(answer.remembered)
            if answer.problem:
                self._notes.add(answer.problem)
        change = self.subscriptions.changes()
        items: list[Watch | Unwatch] = [Unwatch(symbol, mark_ns) for symbol in change.removed]
        for symbol in (*change.changed, *change.new):
            scanners = self.subscriptions.scanners_of(symbol)
            past = bars.get(symbol, []), remembered.get(symbol, b"")
            items.append(Watch(symbol, mark_ns, scanners, symbol in bars, *past))
        self._feed.unsubscribe(change.removed)
        if change.new:
            self._feed.subscribe(self.subscriptions.most_wanted_first())
        return items
