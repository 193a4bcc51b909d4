"""Who is watched, by whom and since when: the plan's symbols at the start, the scanners' wishes from mark to mark."""

from collections.abc import Callable

from desk.model.bars import Bar
from desk.model.checkpoint import ProducerState
from desk.model.items import Item, Unwatch, Watch
from desk.ports import Feed, ScannerDoor
from desk.producer.subscriptions import ALL, Subscriptions


class Watching:
    """Keeps feed and shards in line with what is wanted.

    What was asked at one mark takes effect at the next, so that every shard hears of it at the same place of its
    order. `put` puts an item into the lane of its symbol. `asked_ns` is the mark at which scanners were asked last,
    None when no answer is outstanding.
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        scanner: ScannerDoor,
        feed: Feed,
        put: Callable[[str, Item], None],
        note: Callable[[str], None],
        state: ProducerState | None,
    ) -> None:
        self.subscriptions = subscriptions
        self.asked_ns = None if state is None else state.asked_ns
        self._scanner = scanner
        self._feed = feed
        self._put = put
        self._note = note
        if state is not None:
            subscriptions.restore(state.subscriptions)

    def begin(self, start_ns: int, *, warm: bool) -> None:
        """Watch what the plan names. `warm`: the market has rows before the start, which warm the symbols up."""
        symbols = [symbol for symbol in self.subscriptions.symbols if symbol != ALL]
        bars = self._scanner.history(symbols, start_ns) if warm else {}
        remembered = self._scanner.remembered(symbols, start_ns) if warm else {}
        for symbol in symbols:
            scanners = self.subscriptions.scanners_of(symbol)
            past = bars.get(symbol, []), remembered.get(symbol, b"")
            self._put(symbol, Watch(symbol, start_ns, scanners, warm, *past))

    def take_up(self, mark_ns: int) -> None:
        """Go on from a mark at which another producer died: ask again what it had asked."""
        if self.asked_ns is not None and not self._ask(self.asked_ns):
            self.asked_ns = None
        self.at_mark(mark_ns)

    def meet(self, symbol: str, session_ns: int) -> None:
        """A tick of this symbol came: with all symbols subscribed, one never seen before is watched first."""
        if self.subscriptions.meet(symbol):
            scanners = self.subscriptions.scanners_of(symbol)
            # A source that can be read again was read from its beginning: the symbol has no earlier ticks.
            self._put(symbol, Watch(symbol, session_ns, scanners, first=self._feed.repeatable))

    def at_mark(self, mark_ns: int) -> None:
        """Let the answers asked for at the last mark take effect, then ask those that are due."""
        if self.asked_ns is not None:
            self._take_effect(mark_ns)
        self.asked_ns = mark_ns if self._ask(mark_ns) else None

    def _ask(self, mark_ns: int) -> bool:
        return self._scanner.ask(mark_ns, self.subscriptions.symbols)

    def _take_effect(self, mark_ns: int) -> None:
        bars: dict[str, list[Bar]] = {}
        remembered: dict[str, bytes] = {}
        for answer in self._scanner.answers(wait=True):
            if not answer.stopped:
                self.subscriptions.want(answer.scanner, answer.symbols)
            bars.update(answer.bars)
            remembered.update(answer.remembered)
            if answer.problem:
                self._note(answer.problem)
        new, changed, gone = self.subscriptions.changes()
        for symbol in gone:
            self._put(symbol, Unwatch(symbol, mark_ns))
        for symbol in (*changed, *new):
            scanners = self.subscriptions.scanners_of(symbol)
            past = bars.get(symbol, []), remembered.get(symbol, b"")
            self._put(symbol, Watch(symbol, mark_ns, scanners, symbol in bars, *past))
        self._feed.unsubscribe(gone)
        self._feed.subscribe(new)
