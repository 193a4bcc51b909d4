"""A gap is requested from history when it is due, repeated until it is there, and reported once."""

from typing import Any

from scripted_history import DirectHistory, ScriptedHistory

from desk.history.history_server import HistoryServer
from desk.model.items import Backfill
from desk.model.records import GapRecord
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.producer.feed_gaps import EndedGap
from desk.producer.gap_repair import GapRepairs, RepairConfig
from desk.producer.history_inbox import HistoryInbox
from desk.producer.subscriptions import Subscriptions
from desk.telemetry.note_board import NoteBoard

START_NS = 1_000 * MINUTE_NS
LIMIT_S = 300


def at(seconds: float) -> int:
    return START_NS + round(seconds * SECOND_NS)


def a_print(number: int, seconds: float, symbol: str = "A") -> Trade:
    return Trade(number, symbol, at(seconds), at(seconds), 10.0, 100.0, "", "V", number, "C")


class Desk:
    """Gap repairs with a history, marked second by second; wall time is session time."""

    def __init__(self, market: ScriptedHistory, symbols: str = "AB", state: bytes = b"", delay_s: int = 0) -> None:
        self.market = market
        self.notes = NoteBoard()
        config = RepairConfig(LIMIT_S * SECOND_NS, delay_s * SECOND_NS)
        port: Any = DirectHistory(HistoryServer(market))
        self.repairs = GapRepairs(HistoryInbox(port), config, Subscriptions(symbols), self.notes, state)

    def until(self, seconds: int, first: int = 1, *, up: bool = True) -> dict[int, list[Backfill]]:
        """Items by second."""
        found = {}
        for second in range(first, seconds + 1):
            if items := self.repairs.at_mark(at(second), at(second), up=up):
                found[second] = items
        return found

    @property
    def texts(self) -> list[str]:
        return [note.text for note in self.notes.latest()]


def a_gap(from_s: float = 70, to_s: float = 130) -> GapRecord:
    return GapRecord(at(from_s), at(to_s), 2, "closed")


def minutes(items: list[Backfill]) -> set[tuple[str, float, float]]:
    return {(item.symbol, (item.from_ns - START_NS) / MINUTE_NS, (item.to_ns - START_NS) / MINUTE_NS) for item in items}


def test_minutes_are_requested_when_their_late_reports_and_a_later_trade_are_there() -> None:
    witness = a_print(9, 131)
    desk = Desk(ScriptedHistory([a_print(1, 80), witness]))

    desk.repairs.add([EndedGap(a_gap())], (), at(130))
    assert desk.repairs.wants_trades
    desk.repairs.see([witness])
    early = desk.until(170, 131)
    later = a_print(10, 181)
    desk.market.put(later)
    desk.repairs.see([later])
    late = desk.until(260, 171)

    # the minute before the gap's start is not repeated: the gap begins 10 s after its end
    assert {second: minutes(items) for second, items in early.items()} == {136: {("A", 1, 2), ("B", 1, 2)}}
    assert {second: minutes(items) for second, items in late.items()} == {196: {("A", 2, 3), ("B", 2, 3)}}
    assert desk.repairs.is_repaired(a_gap())
    assert desk.texts == [text for text in desk.texts if "is repaired" in text]


def test_the_minute_before_is_included_where_its_trades_may_be_reported_in_the_gap() -> None:
    desk = Desk(ScriptedHistory(), "A")

    desk.repairs.add([EndedGap(a_gap(62, 63))], (), at(63))
    found = desk.until(200)

    assert minutes([item for items in found.values() for item in items]) == {("A", 0, 1), ("A", 1, 2)}


def test_without_any_later_trade_it_waits_a_minute_and_for_the_feed() -> None:
    desk = Desk(ScriptedHistory(), "A")
    desk.repairs.add([EndedGap(a_gap(70, 100))], (), at(100))

    assert desk.until(300, up=False) == {}
    assert list(desk.until(302, 301)) == [302]


def test_a_request_is_repeated_with_pauses_until_the_history_has_the_minutes() -> None:
    market = ScriptedHistory()
    market.failures += ["not yet"] * 4
    desk = Desk(market, "A")
    desk.repairs.add([EndedGap(a_gap(70, 100))], (), at(100))

    found = desk.until(240)

    assert list(found) == [181 + 1 + 2 + 4 + 8 + 4]
    assert [text for text in desk.texts if "not yet" in text] == desk.texts[:1]
    assert desk.repairs.is_repaired(a_gap(70, 100))
    assert desk.repairs.why_not(a_gap(70, 100)) == ""


def test_after_the_limit_the_gap_stays_unrepaired_and_the_reason_is_kept() -> None:
    market = ScriptedHistory()
    market.failures += ["no subscription to this data"] * 1000
    desk = Desk(market)
    desk.repairs.add([EndedGap(a_gap(70, 100))], (), at(100))

    assert desk.until(100 + LIMIT_S + 2, 101) == {}

    assert not desk.repairs.is_repaired(a_gap(70, 100))
    assert desk.repairs.why_not(a_gap(70, 100)).endswith("no subscription to this data")
    assert sum("stays unrepaired" in text for text in desk.texts) == 1
    restored = Desk(market, state=desk.repairs.state())
    assert restored.repairs.why_not(a_gap(70, 100)) == desk.repairs.why_not(a_gap(70, 100))


def test_a_successor_repeats_what_was_under_way() -> None:
    desk = Desk(ScriptedHistory(), "A")
    desk.repairs.add([EndedGap(a_gap(70, 100))], (), at(100))
    desk.until(180, 101)  # asked, not answered

    successor = Desk(ScriptedHistory(), "A", desk.repairs.state())
    found = successor.until(190, 181)

    assert minutes([item for items in found.values() for item in items]) == {("A", 1, 2)}
    assert successor.repairs.is_repaired(a_gap(70, 100))


def test_symbols_that_the_venue_refuses_are_left_out() -> None:
    desk = Desk(ScriptedHistory())

    desk.repairs.add([EndedGap(a_gap(70, 100))], ("B",), at(100))

    assert {item.symbol for items in desk.until(200).values() for item in items} == {"A"}


def test_a_delayed_feed_asks_for_the_minutes_of_its_data() -> None:
    desk = Desk(ScriptedHistory(), "A", delay_s=60)

    desk.repairs.add([EndedGap(a_gap(130, 140))], (), at(140))
    found = desk.until(300)

    assert {second: minutes(items) for second, items in found.items()} == {241: {("A", 1, 2)}}


def test_a_gap_whose_repair_never_began_has_no_reason() -> None:
    assert Desk(ScriptedHistory()).repairs.why_not(a_gap()) == ""


def test_the_gap_of_one_symbol_is_repaired_for_it_alone() -> None:
    desk = Desk(ScriptedHistory())

    desk.repairs.add([EndedGap(a_gap(70, 100), "B")], (), at(100))
    found = desk.until(200)

    assert minutes([item for items in found.values() for item in items]) == {("B", 1, 2)}
