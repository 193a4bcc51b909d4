"""On a live feed scanners take as long as they need: the producer does not wait for them."""

from collections.abc import Sequence

from pipeline_parts import START_NS, Row, Rows, StepClock, at

from desk.feeds.replay import BlockFeed
from desk.model.bars import Bar
from desk.model.items import Unwatch, Watch
from desk.model.records import ScanAnswer
from desk.producer.subscriptions import Subscriptions
from desk.producer.watched_symbols import WatchedSymbols
from desk.telemetry.note_board import NoteBoard


class SlowScanners:
    """Scanners in another process, due every second; a test ends each scan."""

    def __init__(self) -> None:
        self.done = False
        self.asked: list[int] = []

    def ask(self, mark_ns: int, subscribed: Sequence[str]) -> bool:
        self.done = False
        self.asked.append(mark_ns)
        return True

    def answered(self) -> bool:
        return self.done

    def answers(self) -> list[ScanAnswer]:
        assert self.done, "the producer waits"
        return [ScanAnswer("S", [f"N{len(self.asked)}"])]

    def history(self, symbols: Sequence[str], until_ns: int) -> dict[str, list[Bar]]:
        return {}

    def remembered(self, symbols: Sequence[str], until_ns: int) -> dict[str, bytes]:
        return {}


def watched(scanners: SlowScanners, notes: NoteBoard | None = None) -> WatchedSymbols:
    feed = BlockFeed(Rows([Row(0), Row(60)]), StepClock(), start_ns=START_NS)
    feed.repeatable = False
    return WatchedSymbols(Subscriptions(["A"]), scanners, feed, notes or NoteBoard(), None)


def test_answers_take_effect_at_the_first_mark_at_which_they_are_there() -> None:
    scanners = SlowScanners()
    one = watched(scanners)

    items = [one.at_mark(at(second)) for second in (1, 2, 3)]
    scanners.done = True
    items.append(one.at_mark(at(4)))

    assert items[:3] == [[], [], []]
    (watch,) = items[3]
    assert isinstance(watch, Watch)
    assert (watch.symbol, watch.since_ns, watch.scanners, watch.warm) == ("N1", at(4), ["S"], False)
    assert scanners.asked == [at(1), at(4)]


def test_a_pending_scan_is_repeated_by_a_restarted_producer_which_does_not_wait_either() -> None:
    first = SlowScanners()
    one = watched(first)
    one.at_mark(at(1))
    second = SlowScanners()
    successor = watched(second)
    successor.asked_ns = one.asked_ns

    assert successor.resume(at(3)) == []
    second.done = True
    items = successor.at_mark(at(4))

    assert second.asked == [at(1), at(4)]
    assert [(type(item), item.symbol) for item in items if isinstance(item, Watch | Unwatch)] == [(Watch, "N1")]


def test_a_scan_that_takes_long_is_noted_once() -> None:
    scanners, notes = SlowScanners(), NoteBoard()
    one = watched(scanners, notes)

    for second in range(1, 50):
        one.at_mark(at(second))
    scanners.done = True
    one.at_mark(at(50))
    for second in range(51, 100):
        one.at_mark(at(second))

    assert len(notes.latest()) == 2
    assert all("has no answer yet" in note.text for note in notes.latest())
