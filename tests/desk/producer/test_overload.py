"""Quotes that the producer stops or drops: the lane tells the shard, after the quotes that it already has."""

from collections.abc import Iterable

from desk.flow.ladder import CALM, CONFLATE, THIN, LadderConfig, OverloadLadder
from desk.model.feed_health import FeedHealth
from desk.model.items import QuotesLost
from desk.model.ticks import Quote, Trade
from desk.model.units import MS_NS, SECOND_NS
from desk.producer.held_items import HeldItems
from desk.producer.overload import OverloadControl
from desk.telemetry.note_board import NoteBoard


class SlowReader:
    """A live feed with a given read age, which records the requests for fewer quotes."""

    read_age_ns = 600 * MS_NS

    def __init__(self) -> None:
        self.dropped: list[str] = []
        self.health = FeedHealth()

    def drop_quotes(self, symbols: Iterable[str]) -> None:
        self.dropped += symbols

    def restore_quotes(self, symbols: Iterable[str]) -> None:
        raise AssertionError("the reader stays behind")


def a_quote(ordinal: int, symbol: str) -> Quote:
    return Quote(ordinal, symbol, 0, 0, 9.9, 100.0, 10.1, 100.0)


def test_symbols_whose_quotes_are_stopped_are_named_where_they_are() -> None:
    feed = SlowReader()
    overload = OverloadControl(
        OverloadLadder(LadderConfig.of(SECOND_NS, 10 * SECOND_NS)), {}, feed, SECOND_NS, NoteBoard()
    )  # type: ignore[arg-type]  # what it asks of a feed
    items: list[QuotesLost] = []
    now_ns = 10 * SECOND_NS

    while overload.ladder.rung < THIN:
        now_ns += SECOND_NS
        overload.admit([a_quote(n, "HOT") for n in range(9)] + [a_quote(9, "COLD")], now_ns)
        items += overload.control(now_ns)

    assert feed.dropped == ["HOT"]
    assert items == [QuotesLost("HOT", now_ns)]


def test_a_symbol_whose_quotes_are_dropped_on_its_way_is_named_once() -> None:
    holding = HeldItems(capacity=2)

    for ordinal, symbol in enumerate("ABABB"):
        holding.offer(a_quote(ordinal, symbol), now_ns=7 + ordinal)
    holding.offer(Trade(9, "A", 0, 0, 10.0, 1.0), now_ns=20)

    assert holding.items[:4] == [a_quote(0, "A"), a_quote(1, "B"), QuotesLost("A", 9), QuotesLost("B", 10)]
    assert (holding.quotes, holding.quotes_full) == (2, 3)


def test_a_venue_that_says_slow_client_raises_the_ladder_once_for_each_time() -> None:
    feed, notes = SlowReader(), NoteBoard()
    feed.read_age_ns = 0
    feed.health.slow_clients = 2  # of an earlier producer
    overload = OverloadControl(OverloadLadder(LadderConfig.of(SECOND_NS, 10 * SECOND_NS)), {}, feed, SECOND_NS, notes)  # type: ignore[arg-type]  # what it asks of a feed

    overload.control(10 * SECOND_NS)
    before = overload.ladder.rung
    feed.health.slow_clients = 3
    overload.control(11 * SECOND_NS)
    overload.control(12 * SECOND_NS)
    once = overload.ladder.rung
    overload.admit([a_quote(n, "HOT") for n in range(9)] + [a_quote(9, "COLD")], 12 * SECOND_NS)
    feed.health.slow_clients = 4
    items = overload.control(13 * SECOND_NS)

    assert (before, once, overload.ladder.rung) == (CALM, CONFLATE, THIN)
    assert (feed.dropped, items) == (["HOT"], [QuotesLost("HOT", 13 * SECOND_NS)])
    assert "because the venue found the desk too slow" in notes.latest()[0].text
