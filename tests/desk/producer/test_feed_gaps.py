"""Gaps in the lanes: open from the loss on, extended each minute, closed when the feed is up again."""

from typing import Any

from desk.feeds.live.outages import OutageGap as Found
from desk.model.feed_health import FeedHealth
from desk.model.items import GapItem
from desk.model.records import GapRecord
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.producer.feed_gaps import REFUSED, STALE, FeedGaps
from desk.producer.subscriptions import Subscriptions

NS = SECOND_NS
START_NS = 1_000 * MINUTE_NS


class HandFeed:
    """A feed that is lost and found by hand."""

    def __init__(self) -> None:
        self.from_ns: int | None = None
        self.over: list[Found] = []
        self.health = FeedHealth()

    def open_gap(self, session_ns: int) -> Found | None:
        return None if self.from_ns is None else Found(self.from_ns, session_ns, "closed")

    def take_gaps(self) -> list[Found]:
        taken, self.over = self.over, []
        return taken

    def back(self, session_ns: int) -> None:
        assert self.from_ns is not None
        self.over.append(Found(self.from_ns, session_ns, "closed"))
        self.from_ns = None


def some_gaps(feed: HandFeed, delay_ns: int = 0) -> FeedGaps:
    found: Any = feed
    return FeedGaps(found, found, Subscriptions("ABC"), [], delay_ns)


def at(seconds: float) -> int:
    return START_NS + int(seconds * NS)


def second(gaps: FeedGaps, session_ns: int) -> list[GapItem]:
    return gaps.close() + gaps.open(session_ns)


def test_a_gap_is_given_at_the_loss_at_the_first_mark_of_each_minute_and_at_the_return() -> None:
    feed, items = HandFeed(), list[GapItem]()
    gaps = some_gaps(feed)

    items += second(gaps, at(29))
    feed.from_ns = at(29.5)
    items += second(gaps, at(29.7))
    during = gaps.records_at(at(29.7))
    for seconds in range(30, 125):
        items += second(gaps, at(seconds))
    feed.back(at(125))
    items += second(gaps, at(125))
    items += second(gaps, at(126))

    assert items == [
        GapItem(at(29.5), at(29.7), "closed", is_open=True),
        GapItem(at(29.5), at(61), "closed", is_open=True),
        GapItem(at(29.5), at(121), "closed", is_open=True),
        GapItem(at(29.5), at(125), "closed"),
    ]
    assert during == [GapRecord(at(29.5), at(29.7), 3, "closed")]
    assert gaps.records == gaps.records_at(at(126)) == [GapRecord(at(29.5), at(125), 3, "closed")]


def test_minutes_are_those_of_the_data_where_a_feed_is_late_by_design() -> None:
    feed, items = HandFeed(), list[GapItem]()
    gaps = some_gaps(feed, delay_ns=20 * NS)

    feed.from_ns = at(30)
    for seconds in range(30, 90):
        items += second(gaps, at(seconds))

    assert [item.to_ns for item in items] == [at(30), at(81)]


def test_a_loss_between_two_marks_is_given_whole_and_the_next_one_opens_anew() -> None:
    feed, items = HandFeed(), list[GapItem]()
    gaps = some_gaps(feed)

    feed.from_ns = at(1.2)
    feed.back(at(1.4))
    items += second(gaps, at(2))
    feed.from_ns = at(2.1)
    items += second(gaps, at(2.2))
    feed.back(at(2.3))
    feed.from_ns = at(2.4)
    items += second(gaps, at(2.5))

    assert [(item.from_ns, item.is_open) for item in items] == [
        (at(1.2), False),
        (at(2.1), True),
        (at(2.1), False),
        (at(2.4), True),
    ]


def test_symbols_that_are_granted_in_no_channel_have_gaps_of_their_own() -> None:
    feed, items = HandFeed(), list[GapItem]()
    gaps = some_gaps(feed)

    items += gaps.mark(at(1))
    feed.health.refused = {"trades": ["A", "B", "C"], "quotes": ["B", "C", "D"]}
    items += gaps.mark(at(2))
    items += gaps.mark(at(3))
    feed.health.refused = {"trades": ["C"], "quotes": ["B", "C"]}
    items += gaps.mark(at(4))

    assert items == [
        GapItem(at(2), at(2), REFUSED, symbols=["B", "C"], is_open=True),
        GapItem(at(2), at(4), REFUSED, symbols=["B"]),
    ]


def test_a_stale_symbol_has_a_gap_of_its_own_which_is_recorded_and_survives_a_restart() -> None:
    feed = HandFeed()
    gaps = some_gaps(feed)

    opened = gaps.mark(at(90), {"B": at(60)}) + gaps.mark(at(91), {"B": at(60)})
    during = gaps.records_at(at(91))
    found: Any = feed
    successor = FeedGaps(found, found, Subscriptions("ABC"), gaps.records, apart=gaps.apart)
    closed = successor.mark(at(95), {})

    assert opened == [GapItem(at(60), at(90), STALE, symbols=["B"], is_open=True)]
    assert closed == [GapItem(at(60), at(95), STALE, symbols=["B"])]
    assert during == [GapRecord(at(60), at(91), 1, "the symbol is stale: B")]
    assert successor.records == [GapRecord(at(60), at(95), 1, "the symbol is stale: B")]


def test_channels_beside_the_ticks_make_no_gap() -> None:
    feed = HandFeed()
    gaps = some_gaps(feed)
    feed.health.refused = {"trades": ["A"], "bars": ["A", "B"], "statuses": ["B"]}

    assert gaps.mark(at(1)) == []
