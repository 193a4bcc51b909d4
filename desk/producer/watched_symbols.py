"""Who is watched, by whom and since when: the plan's symbols at the start, the scanners' wishes from mark to mark.

Tests: tests/desk/producer/test_loop.py
"""

from desk.model.bars import Bar
from desk.model.checkpoint import ProducerState
from desk.model.items import Unwatch, Watch
from desk.ports import Feed, ScannerPort
from desk.producer.subscriptions import ALL, Subscriptions
from desk.telemetry.note_board import NoteBoard


class WatchedSymbols:
    """Keeps feed and shards in line with what is wanted.

    What was asked at one mark takes effect at the next, so that every shard hears of it at the same place of its
    order: what is returned is to be put into the lanes of its symbols. `asked_ns` is the mark at which scanners were
    asked last, None when no answer is outstanding.
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
        if state is not None:
            subscriptions.restore(state.subscriptions)

    def begin(self, start_ns: int, *, warm: bool) -> list[Watch]:
        """Watch what the plan names. `warm`: the market has rows before the start, which warm the symbols up."""
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
        """Go on from a mark at which another producer died: ask again what it had asked."""
        if self.asked_ns is not None and not self._ask(self.asked_ns):
            self.asked_ns = None
        return self.at_mark(mark_ns)

    def at_mark(self, mark_ns: int) -> list[Watch | Unwatch]:
        """Let the answers asked for at the last mark take effect, then ask those that are due."""
        items = [] if self.asked_ns is None else self._take_effect(mark_ns)
        self.asked_ns = mark_ns if self._ask(mark_ns) else None
        return items

    def _ask(self, mark_ns: int) -> bool:
        return self._scanner.ask(mark_ns, self.subscriptions.symbols)

    def _take_effect(self, mark_ns: int) -> list[Watch | Unwatch]:
        bars: dict[str, list[Bar]] = {}
        remembered: dict[str, bytes] = {}
        for answer in self._scanner.answers():
            if not answer.stopped:
                self.subscriptions.want(answer.scanner, answer.symbols)
            bars.update(answer.bars)
            remembered.update(answer.remembered)
            if answer.problem:
                self._notes.add(answer.problem)
        change = self.subscriptions.changes()
        items: list[Watch | Unwatch] = [Unwatch(symbol, mark_ns) for symbol in change.gone]
        for symbol in (*change.changed, *change.new):
            scanners = self.subscriptions.scanners_of(symbol)
            past = bars.get(symbol, []), remembered.get(symbol, b"")
            items.append(Watch(symbol, mark_ns, scanners, symbol in bars, *past))
        self._feed.unsubscribe(change.gone)
        self._feed.subscribe(change.new)
        return items
