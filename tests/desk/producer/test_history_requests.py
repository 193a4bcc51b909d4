"""Each symbol gets its history once, before its strategies start; without history they start after a limit."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from scripted_history import DirectHistory, ScriptedHistory

from desk.history.history_server import HistoryServer
from desk.history.kept_history import KeptHistory
from desk.history.session_history import SessionHistory
from desk.model.bars import Bar
from desk.model.history import DeclaredHistory, HistoryNeeds
from desk.model.items import History, Unwatch, Watch
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.producer.history_inbox import HistoryInbox
from desk.producer.history_requests import LATE_NS, NO_HISTORY, HistoryRequests
from desk.telemetry.note_board import NoteBoard
from desk.wiring.exchange_days import ExchangeDays

OPEN_NS = 1_767_623_400 * SECOND_NS  # 2026-01-05 09:30 in New York
DAY_START_NS = OPEN_NS - 330 * MINUTE_NS
BEFORE_NS = OPEN_NS - 3 * 24 * 60 * MINUTE_NS  # the Friday before
START_NS = OPEN_NS + 90 * MINUTE_NS
DAILY = DeclaredHistory({"1d": 1})


def a_bar(start_ns: int, symbol: str = "A") -> Bar:
    return Bar(symbol, start_ns, 10.0, 10.0, 10.0, 10.0, 100.0, 1000.0, 1, start_ns, 0, start_ns, 0)


class Desk:
    """Requests of a session that starts at 11:00, with marks second by second; wall time is session time."""

    def __init__(
        self,
        folder: Path,
        declared: Iterable[DeclaredHistory] = (DAILY,),
        minutes_from_ns: int = OPEN_NS,
        state: bytes = b"",
        has_port: bool = True,
    ) -> None:
        self.market = ScriptedHistory()
        self.market.bars_of = {
            "1d": [a_bar(BEFORE_NS, symbol) for symbol in "AB"],
            "1m": [a_bar(OPEN_NS + minute * MINUTE_NS, symbol) for symbol in "AB" for minute in range(95)],
        }
        self.notes = NoteBoard()
        server = HistoryServer(
            self.market, SessionHistory(self.market, ExchangeDays("XNYS"), KeptHistory(folder / "history"))
        )
        port: Any = DirectHistory(server) if has_port else None
        needs = HistoryNeeds("2026-01-05", DAY_START_NS, minutes_from_ns, list(declared))
        self.requests = HistoryRequests(HistoryInbox(port), needs, self.notes, 0, state)

    def watch(self, symbol: str = "A", at_ns: int = START_NS) -> Watch:
        watch = Watch(symbol, at_ns, [""])
        self.requests.expect(watch)
        return watch

    def until(self, seconds: int, first: int = 1) -> dict[int, list[History]]:
        found = {}
        for second in range(first, seconds + 1):
            at_ns = START_NS + second * SECOND_NS
            if items := self.requests.at_mark(at_ns, at_ns):
                found[second] = items
        return found


def test_declared_bars_and_the_days_minutes_follow_the_watch(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    watches = [desk.watch("A"), desk.watch("B")]

    found = desk.until(20)

    assert [watch.history_follows for watch in watches] == [True, True]
    assert list(found) == [4]  # requested 3 s after the last minute's end
    assert {item.symbol for item in found[4]} == {"A", "B"}
    for item in found[4]:
        assert (item.warm, item.problem, item.at_ns) == (True, "", START_NS + 4 * SECOND_NS)
        assert len(item.bars["1d"]) == 1
        assert [bar.minute_ns for bar in item.bars["1m"]] == [OPEN_NS + minute * MINUTE_NS for minute in range(90)]
    assert len(desk.market.asked) == 2


def test_before_the_open_the_history_is_requested_at_once_and_has_no_minutes(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.watch("A", OPEN_NS)

    desk.requests.ask(OPEN_NS, OPEN_NS)
    (item,) = desk.requests.at_mark(OPEN_NS + SECOND_NS, OPEN_NS + SECOND_NS)

    assert item.warm
    assert set(item.bars) == {"1d"}


def test_a_symbol_that_needs_nothing_does_not_wait(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [DeclaredHistory({"1d": 1}, frozenset("B"))], minutes_from_ns=0)

    assert [desk.watch(symbol).history_follows for symbol in "AB"] == [False, True]
    assert not Desk(tmp_path, (), 0).watch().history_follows


def test_after_thirty_seconds_the_strategies_start_and_a_later_history_is_still_applied(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.market.failures += ["too many requests"] * 6
    desk.watch()

    found = desk.until(200)

    first, second = found.values()
    (item,) = first
    assert next(iter(found)) == 31
    assert (item.warm, item.bars) == (False, {})
    assert item.problem.endswith("too many requests")
    assert second[0].warm
    assert second[0].bars["1d"]


def test_minutes_alone_are_not_waited_for_and_are_no_problem(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ())
    desk.market.failures += ["not permitted"]
    desk.watch()

    found = list(desk.until(20).values())

    assert [(item.warm, item.problem) for items in found for item in items] == [(False, ""), (True, "")]
    assert [note.text for note in desk.notes.latest()] == [
        "A starts without the day's earlier minutes: scripted history: not permitted"
    ]


def test_without_a_source_of_history_the_strategies_start_at_once_and_the_problem_is_named(tmp_path: Path) -> None:
    desk = Desk(tmp_path, minutes_from_ns=0, has_port=False)
    desk.watch()

    assert desk.until(50) == {1: [History("A", START_NS + SECOND_NS, {}, False, NO_HISTORY)]}


def test_history_that_never_comes_is_given_up(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.market.failures += ["down"] * 10_000
    desk.watch()

    desk.until(2 + LATE_NS // SECOND_NS)
    desk.market.failures.clear()

    assert desk.until(2_000, 3 + LATE_NS // SECOND_NS) == {}


def test_a_successor_repeats_what_was_under_way_and_nothing_else(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.watch("A", OPEN_NS)
    desk.until(1)
    desk.until(3, 2)
    desk.watch("B")
    desk.until(3, 3)

    successor = Desk(tmp_path, state=desk.requests.state())
    assert not successor.watch("A").history_follows
    found = successor.until(20, 4)

    assert {item.symbol for items in found.values() for item in items} == {"B"}


def test_a_symbol_that_comes_back_gets_its_minutes_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.watch()
    desk.until(10)

    desk.requests.expect(Unwatch("A", START_NS + 11 * SECOND_NS))
    again = desk.watch("A", START_NS + 130 * SECOND_NS)
    found = desk.until(140, 130)

    assert again.history_follows
    (item,) = (item for items in found.values() for item in items)
    assert len(item.bars["1m"]) == 92


@pytest.mark.parametrize("symbol", ["A", "C"])
def test_a_feed_that_waits_gets_the_items_before_it_is_read(symbol: str, tmp_path: Path) -> None:
    class Clock:
        now_ns = START_NS

        def wall_ns(self) -> int:
            return self.now_ns

        def wait(self, until_ns: int, descriptors: object = ()) -> None:
            self.now_ns = until_ns

    desk, clock = Desk(tmp_path, minutes_from_ns=0), Clock()
    desk.watch(symbol)

    for wait in desk.requests.wait(clock, START_NS):
        clock.wait(wait.until_ns)

    (item,) = desk.requests.take_ready()
    assert item.warm == (symbol == "A")
    assert clock.now_ns - START_NS < SECOND_NS
