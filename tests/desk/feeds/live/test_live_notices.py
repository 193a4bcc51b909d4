"""Notices in a live feed: they say nothing about its lag, and are counted as a class of their own."""

from collections.abc import Sequence

from desk.feeds.live.read_frames import ReadFrames
from desk.feeds.live.tick_times import SocketRead, TickTimes
from desk.model.block_rows import BlockFeedCounts
from desk.model.feed_health import FeedHealth
from desk.model.notices import TradingStatus, VenueBar
from desk.model.ticks import Event, Frame, Trade
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS

NOW_NS = 1_000_000 * MINUTE_NS + 2 * SECOND_NS
BAR = VenueBar(1, "A", NOW_NS - 2 * SECOND_NS - MINUTE_NS, NOW_NS, 10.0, 10.0, 10.0, 10.0, 5.0)
STATUS = TradingStatus(2, "A", NOW_NS - 5 * MS_NS, NOW_NS, "H")
TRADE = Trade(3, "A", NOW_NS - 20 * MS_NS, NOW_NS, 10.0, 1.0)
EARLY = TradingStatus(4, "A", 1, NOW_NS, "H")


def frames_of(counts: BlockFeedCounts, *reads: Sequence[Event]) -> list[Frame]:
    """A frame for each read, 1 ms apart, of a day that began an hour ago."""
    frames = ReadFrames("here", counts, TickTimes("here", NOW_NS - 60 * MINUTE_NS), FeedHealth())
    return [
        frames.frame(list(ticks), SocketRead(NOW_NS + number * MS_NS, NOW_NS + number * MS_NS))
        for number, ticks in enumerate(reads)
    ]


def test_a_frame_of_notices_alone_has_no_lag() -> None:
    (frame,) = frames_of(BlockFeedCounts(), [BAR, STATUS])

    assert frame.ticks == [BAR, STATUS]
    assert (frame.lag_ns, frame.fastest_ns) == (None, None)


def test_notices_beside_ticks_do_not_change_the_lag() -> None:
    plain, mixed = frames_of(BlockFeedCounts(), [TRADE])[0], frames_of(BlockFeedCounts(), [BAR, TRADE])[0]

    assert mixed.ticks == [BAR, TRADE]
    assert (mixed.lag_ns, mixed.fastest_ns) == (plain.lag_ns, plain.fastest_ns) == (20 * MS_NS, 20 * MS_NS)


def test_a_notice_whose_time_cannot_be_right_is_rejected_as_a_notice() -> None:
    counts = BlockFeedCounts()

    (frame,) = frames_of(counts, [EARLY, TRADE])

    assert frame.ticks == [TRADE]
    assert counts.rejected == {"trades": {}, "quotes": {}, "notices": {"time": 1}}


def test_notices_of_before_the_start_are_skipped_as_notices() -> None:
    counts = BlockFeedCounts(received={"trades": 1, "quotes": 0, "notices": 1})

    ReadFrames("here", counts, TickTimes("here"), FeedHealth()).skip([STATUS, TRADE], is_early=True)

    assert counts.received == {"trades": 0, "quotes": 0, "notices": 0}
    assert counts.skipped == {"trades": 1, "quotes": 0, "notices": 1}
