from collections import Counter
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_rows import NAN, T0, BlockRow, BlockRows, FakeClock, quote

from desk.feeds.frames import frames_of
from desk.feeds.replay import MAX_TICKS, BlockFeed
from desk.model.block_rows import BlockFeedCounts
from desk.model.feed_position import FeedPosition
from desk.model.ticks import Frame, Quote, Trade
from desk.model.units import MS_NS, SECOND_NS
from desk.tape.reader import TapeSource


def play(feed: BlockFeed, *symbols: str) -> list[Frame]:
    feed.subscribe(symbols or ("AAA",))
    return list(frames_of(feed, feed._clock))


def ordinals(frame: Frame) -> list[int]:
    return [tick.ordinal for tick in frame.ticks]


def seconds(frames: list[Frame]) -> list[tuple[int, list[int]]]:
    return [((frame.session_ns - T0) // SECOND_NS, ordinals(frame)) for frame in frames]


def test_each_second_is_one_frame_closed_by_its_mark() -> None:
    feed = BlockFeed(BlockRows([BlockRow(1_500), BlockRow(1_999.999), BlockRow(2_000), BlockRow(5_000)]), FakeClock())

    frames = play(feed)

    assert seconds(frames) == [(2, [0, 1]), (3, [2]), (4, []), (5, []), (6, [3])]
    assert all(frame.mark for frame in frames)
    assert feed.lossless
    assert (feed.start_ns, feed.end_ns) == (T0 + SECOND_NS, T0 + 6 * SECOND_NS)


def test_rows_become_ticks_stamped_once_per_frame() -> None:
    clock = FakeClock()
    lines = [BlockRow(10, conditions="FT", trade_id=7, lag_ms=3), quote(20, lag_ms=5), BlockRow(30, conditions=None)]

    (frame,) = play(BlockFeed(BlockRows(lines), clock))

    assert frame.ticks == [
        Trade(0, "AAA", T0 + 7 * MS_NS, clock.now_ns, 10.0, 100.0, "FT", "Q", 7),
        Quote(1, "AAA", T0 + 15 * MS_NS, clock.now_ns, 9.0, 100.0, 11.0, 200.0, "Q", ""),
        Trade(2, "AAA", T0 + 30 * MS_NS, clock.now_ns, 10.0, 100.0, "", "Q", 0),
    ]


def test_the_lag_is_the_median_over_the_ticks_of_a_frame() -> None:
    lines = [
        BlockRow(10, lag_ms=3),
        BlockRow(20, lag_ms=900),
        BlockRow(30, lag_ms=1),
        BlockRow(40, "BBB", lag_ms=5_000),
    ]

    frames = play(BlockFeed(BlockRows([*lines, BlockRow(2_000, "BBB")]), FakeClock()))

    assert [frame.lag_ns for frame in frames] == [3 * MS_NS, None, None]


def test_start_and_stop_bound_the_session_and_the_rows_before_and_behind_are_skipped() -> None:
    lines = [
        BlockRow(0),
        quote(1_200),
        BlockRow(1_499),
        BlockRow(1_500),
        BlockRow(2_499),
        BlockRow(2_500),
        BlockRow(9_000),
    ]
    feed = BlockFeed(BlockRows(lines, 2), FakeClock(), start_ns=T0 + 1_500 * MS_NS, stop_ns=T0 + 2_500 * MS_NS)

    frames = play(feed)

    assert seconds(frames) == [(2, [3]), (3, [4])]
    assert feed.counts.skipped == {"trades": 4, "quotes": 1, "notices": 0}
    assert feed.counts.received == {"trades": 2, "quotes": 0, "notices": 0}


def test_a_start_before_the_first_row_gives_quiet_seconds() -> None:
    feed = BlockFeed(BlockRows([BlockRow(2_100)]), FakeClock(), start_ns=T0)

    assert seconds(play(feed)) == [(1, []), (2, []), (3, [0])]


def test_an_overfull_second_is_cut_and_only_its_last_frame_bears_the_mark() -> None:
    lines = [BlockRow(1 + index / 100) for index in range(2 * MAX_TICKS + 1)]
    feed = BlockFeed(BlockRows([*lines, BlockRow(1_500)], 1_024), FakeClock())

    frames = play(feed)

    assert [(len(frame.ticks), frame.mark) for frame in frames] == [
        (MAX_TICKS, False),
        (MAX_TICKS, False),
        (1, True),
        (1, True),
    ]
    assert [ordinal for frame in frames for ordinal in ordinals(frame)] == list(range(2 * MAX_TICKS + 2))
    assert [frame.session_ns for frame in frames] == sorted(frame.session_ns for frame in frames)


@given(
    st.lists(st.integers(0, 4_000), min_size=1, max_size=80).map(sorted),
    st.integers(1, 81),
    st.sampled_from([None, 0.5, 7.0, 1_000.0]),
)
def test_every_row_comes_once_in_its_second_however_blocks_are_cut(
    times_ms: list[int], rows_per_block: int, speed: float | None
) -> None:
    lines = [BlockRow(at_ms, "AAA" if index % 3 else "BBB") for index, at_ms in enumerate(times_ms)]
    feed = BlockFeed(BlockRows(lines, rows_per_block), FakeClock(), speed=speed)

    frames = play(feed, "AAA")

    first = times_ms[0] // 1_000
    marks = [(frame.session_ns - T0) // SECOND_NS for frame in frames if frame.mark]
    assert marks == list(range(first + 1, times_ms[-1] // 1_000 + 2))
    taken = []
    before_ns = T0 + first * SECOND_NS
    for frame in frames:
        assert all(before_ns <= lines[ordinal].recv_ns < frame.session_ns for ordinal in ordinals(frame))
        assert frame.session_ns > before_ns
        before_ns = frame.session_ns
        taken += ordinals(frame)
    assert taken == [index for index in range(len(lines)) if index % 3]
    assert feed.counts.skipped["trades"] + feed.counts.received["trades"] == len(lines)


def test_subscriptions_act_from_the_next_frame_on() -> None:
    lines = [BlockRow(at_ms, symbol) for at_ms in (100, 1_100, 2_100, 3_100) for symbol in ("AAA", "BBB")]
    feed = BlockFeed(BlockRows(lines), FakeClock())
    feed.subscribe(["AAA"])
    taken = []

    for number, frame in enumerate(frames_of(feed, feed._clock)):
        taken.append(ordinals(frame))
        if number == 0:
            feed.subscribe(["BBB"])
        if number == 2:
            feed.unsubscribe(["AAA"])

    assert taken == [[0], [2, 3], [4, 5], [7]]
    assert feed.counts.received["trades"] == 6
    assert feed.counts.skipped["trades"] == 2


def test_a_subscription_in_an_overfull_second_acts_within_it() -> None:
    lines = [BlockRow(1 + index / 100, "AAA" if index % 2 else "BBB") for index in range(2 * MAX_TICKS + 10)]
    feed = BlockFeed(BlockRows(lines), FakeClock())
    feed.subscribe(["AAA"])
    frames = frames_of(feed, feed._clock)

    first = next(frames)
    feed.subscribe(["BBB"])
    second = next(frames)

    assert ordinals(first) == list(range(1, 2 * MAX_TICKS, 2))
    assert ordinals(second) == list(range(2 * MAX_TICKS, 2 * MAX_TICKS + 10))
    assert feed.counts.skipped["trades"] == MAX_TICKS
    assert list(frames) == []


@pytest.mark.parametrize(("channel", "kept"), [("trades", Trade), ("quotes", Quote)])
def test_channels_not_asked_for_are_skipped(channel: str, kept: type) -> None:
    feed = BlockFeed(
        BlockRows([BlockRow(1), quote(2), BlockRow(3), quote(4)]), FakeClock(), channels=frozenset({channel})
    )

    (frame,) = play(feed)

    assert len(frame.ticks) == 2
    assert {type(tick) for tick in frame.ticks} == {kept}
    assert feed.counts.received[channel] == 2
    assert sum(feed.counts.skipped.values()) == 2


def test_malformed_rows_are_received_rejected_and_named() -> None:
    bad = [
        BlockRow(1, price=NAN),
        BlockRow(2, size=-1.0),
        quote(3, bid=NAN),
        BlockRow(4, symbol=None),
        BlockRow(5, kind="other"),
        BlockRow(6, ts_ns=0),
        BlockRow(7, "BBB", price=NAN),
    ]
    feed = BlockFeed(BlockRows([*bad, BlockRow(8)], 3), FakeClock())

    (frame,) = play(feed)

    assert ordinals(frame) == [7]
    assert feed.counts.received == {"trades": 6, "quotes": 1, "notices": 0}
    assert feed.counts.rejected == {
        "trades": {"price": 1, "size": 1, "symbol": 1, "kind": 1, "time": 1},
        "quotes": {"price": 1},
        "notices": {},
    }
    assert feed.counts.skipped == {"trades": 1, "quotes": 0, "notices": 0}
    assert feed.counts.examples == [
        "lines: row 0: price",
        "lines: row 1: size",
        "lines: row 2: price",
        "lines: row 3: symbol",
        "lines: row 4: kind",
    ]


@pytest.mark.parametrize("speed", [0.25, 1.0, 60.0])
def test_paced_frames_come_when_due_and_span_ten_ms_of_wall_time(speed: float) -> None:
    clock = FakeClock()
    began_ns = clock.now_ns
    lines = [BlockRow(at_ms) for at_ms in range(0, 3_000, 7)]
    feed = BlockFeed(BlockRows(lines, 50), clock, speed=speed)
    feed.subscribe(["AAA"])

    for frame in frames_of(feed, feed._clock):
        assert clock.now_ns - began_ns == pytest.approx((frame.session_ns - T0) / speed, abs=2_000)
        if frame.ticks:
            span_ns = frame.session_ns - lines[frame.ticks[0].ordinal].recv_ns
            assert span_ns <= 10 * MS_NS * speed + 1
            assert {tick.received_ns for tick in frame.ticks} == {clock.now_ns}

    assert not feed.lossless
    assert feed.counts.received["trades"] == len(lines)


@given(seed=st.integers(0, 2**16))
def test_a_paced_feed_has_received_no_more_than_it_returned_whenever_it_is_asked(seed: int) -> None:
    random = Random(seed)
    lines = [BlockRow(at_ms) for at_ms in sorted(random.choices(range(5_000), k=random.randrange(1, 60)))]
    clock = FakeClock()
    feed = BlockFeed(BlockRows(lines, random.randrange(1, 20)), clock, speed=random.choice([0.5, 1.0, 40.0]))
    feed.subscribe(["AAA"])
    returned = waits = 0

    while not feed.ended:
        clock.wait(feed.due_ns)
        frame = feed.read()
        returned += 0 if frame is None else len(frame.ticks)
        waits += frame is None
        assert feed.counts.received["trades"] + feed.counts.received["quotes"] == returned

    assert returned == len(lines)
    assert waits > 1


def test_a_delay_is_caught_up_without_sleeping() -> None:
    clock = FakeClock()
    began_ns = clock.now_ns
    feed = BlockFeed(BlockRows([BlockRow(at_ms) for at_ms in range(0, 5_000, 100)]), clock, speed=1.0)
    feed.subscribe(["AAA"])

    for number, frame in enumerate(frames_of(feed, feed._clock)):
        if number == 3:
            clock.now_ns += 2 * SECOND_NS
        last = frame

    assert clock.now_ns - began_ns == pytest.approx(last.session_ns - T0, abs=2_000)
    assert clock.slept_ns == pytest.approx(3 * SECOND_NS, abs=2_000)


def test_quiet_seconds_before_the_first_row_are_not_waited_for() -> None:
    clock = FakeClock()
    feed = BlockFeed(BlockRows([BlockRow(3_600_000)]), clock, start_ns=T0, speed=1.0)

    frames = play(feed)

    assert sum(frame.mark for frame in frames) == 3_601
    assert clock.slept_ns == pytest.approx(SECOND_NS, abs=2_000)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed is"):
        BlockFeed(BlockRows([BlockRow(0)]), FakeClock(), speed=speed)


def content(frame: Frame) -> tuple[Any, ...]:
    """A frame without the time at which its ticks were read."""
    ticks = [
        [type(tick)] + [getattr(tick, name) for name in tick.__struct_fields__ if name != "received_ns"]
        for tick in frame.ticks
    ]
    return ticks, frame.session_ns, frame.mark, frame.lag_ns


market_lines = st.lists(
    st.tuples(
        st.integers(0, 6_000),
        st.sampled_from(["AAA", "AAA", "BBB", "CCC", None]),
        st.sampled_from(["trade", "quote", "other"]),
        st.sampled_from([10.0, 10.0, -1.0]),
        st.integers(0, 50),
    ),
    min_size=1,
    max_size=60,
).map(
    lambda rows: [
        BlockRow(at_ms, symbol, kind, price, 100.0, 9.0, 11.0, 1.0, 1.0, lag_ms)
        for at_ms, symbol, kind, price, lag_ms in sorted(rows, key=lambda row: row[0])
    ]
)


@given(
    market_lines,
    st.integers(1, 61),
    st.sampled_from([None, 0.5, 7.0, 1_000.0]),
    st.sampled_from([None, 0, 1_500, 3_000]),
    st.sampled_from([None, 4_500, 5_000, 9_000]),
    st.data(),
)
def test_a_feed_resumed_at_a_mark_continues_as_the_undisturbed_one_did(
    lines: list[BlockRow],
    rows_per_block: int,
    speed: float | None,
    start_ms: int | None,
    stop_ms: int | None,
    data: st.DataObject,
) -> None:
    source = BlockRows(lines, rows_per_block)
    bounds: dict[str, Any] = {
        "start_ns": None if start_ms is None else T0 + start_ms * MS_NS,
        "stop_ns": None if stop_ms is None else T0 + stop_ms * MS_NS,
        "speed": speed,
    }
    undisturbed = BlockFeed(source, FakeClock(), **bounds)
    undisturbed.subscribe(["AAA", "BBB"])
    assert undisturbed.start_ns is not None
    positions = {undisturbed.start_ns: undisturbed.position()}
    after: dict[int, list[Any]] = {undisturbed.start_ns: []}
    for frame in frames_of(undisturbed, undisturbed._clock):
        for frames in after.values():
            frames.append(content(frame))
        if frame.mark:
            positions[frame.session_ns] = undisturbed.position()
            after[frame.session_ns] = []
    mark_ns = data.draw(st.sampled_from(sorted(after)))

    resumed = BlockFeed(source, FakeClock(), **bounds, resume=positions[mark_ns])
    resumed.subscribe(["AAA", "BBB"])

    assert [content(frame) for frame in frames_of(resumed, resumed._clock)] == after[mark_ns]
    assert resumed.counts == undisturbed.counts
    assert (resumed.start_ns, resumed.end_ns) == (undisturbed.start_ns, undisturbed.end_ns)
    assert resumed.take_gaps() == []


def test_what_was_received_before_the_mark_is_counted_nowhere() -> None:
    lines = [
        BlockRow(100),
        BlockRow(200, "BBB"),
        BlockRow(300, price=NAN),
        BlockRow(1_100),
        BlockRow(2_000),
        BlockRow(2_100, "BBB"),
    ]
    feed = BlockFeed(BlockRows(lines, 2), FakeClock(), resume=FeedPosition(T0 + 2 * SECOND_NS))

    frames = play(feed)

    assert seconds(frames) == [(3, [4])]
    assert feed.counts == BlockFeedCounts(
        received={"trades": 1, "quotes": 0, "notices": 0}, skipped={"trades": 1, "quotes": 0, "notices": 0}
    )
    assert feed.start_ns == T0


def test_rows_before_the_session_are_skipped_by_a_feed_that_resumes_at_its_start() -> None:
    feed = BlockFeed(
        BlockRows([BlockRow(100), BlockRow(1_100)]),
        FakeClock(),
        start_ns=T0 + SECOND_NS,
        resume=FeedPosition(T0 + SECOND_NS),
    )

    assert seconds(play(feed)) == [(2, [1])]
    assert feed.counts.skipped == {"trades": 1, "quotes": 0, "notices": 0}


def test_restored_counts_are_a_copy_and_continue_counting() -> None:
    counts = BlockFeedCounts()
    counts.reject("trades", "price", "here")
    other = BlockFeedCounts()

    other.restore(counts.position(0))
    restored = deepcopy(other)
    other.reject("trades", "price", "there")

    assert restored == counts
    assert counts.rejected == {"trades": {"price": 1}, "quotes": {}, "notices": {}}
    assert other.rejected == {"trades": {"price": 2}, "quotes": {}, "notices": {}}
    assert other.examples == ["here: price", "there: price"]


def test_a_resumed_feed_is_paced_from_its_mark() -> None:
    clock = FakeClock()
    began_ns = clock.now_ns
    mark_ns = T0 + 3_600 * SECOND_NS
    lines = [BlockRow(at_ms) for at_ms in range(0, 3_603_000, 500)]
    feed = BlockFeed(BlockRows(lines), clock, speed=2.0, resume=FeedPosition(mark_ns))
    feed.subscribe(["AAA"])

    for frame in frames_of(feed, feed._clock):
        assert clock.now_ns - began_ns == pytest.approx((frame.session_ns - mark_ns) / 2.0, abs=2_000)

    assert clock.slept_ns == pytest.approx(1.5 * SECOND_NS, abs=2_000)


def test_a_time_that_is_no_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="whole second"):
        BlockFeed(BlockRows([BlockRow(0)]), FakeClock(), resume=FeedPosition(T0 + 1))


def test_a_morning_comes_whole(any_morning: Path) -> None:
    source = TapeSource(any_morning)
    feed = BlockFeed(source, FakeClock())

    frames = play(feed, *source.symbols)

    ticks = [tick.ordinal for frame in frames for tick in frame.ticks]
    kinds = Counter(pq.read_table(any_morning, columns=["kind"])["kind"].to_pylist())
    assert ticks == list(range(kinds.total()))
    assert feed.counts.received == {"trades": kinds["trade"], "quotes": kinds["quote"], "notices": 0}
    assert min(kinds.values()) > 8_000
    marks = [frame.session_ns for frame in frames if frame.mark]
    assert feed.start_ns is not None
    assert feed.end_ns is not None
    assert marks == list(range(feed.start_ns + SECOND_NS, feed.end_ns + 1, SECOND_NS))
    assert all(tick.ts_ns < frame.session_ns for frame in frames for tick in frame.ticks)
