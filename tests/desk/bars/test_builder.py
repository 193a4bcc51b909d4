from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from naive_bars import minutes_of, naive_bar

from desk.bars.builder import BarBuilder
from desk.model.bars import WorkingBar
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS, SECOND_NS

CODES = ("", "@", "F", "I", "@TI", "Z", "4", "M", "Q", "C", "?")

prints = st.lists(
    st.tuples(
        st.integers(0, 35).map(lambda five: 5 * SECOND_NS * five),
        st.integers(1, 400).map(lambda quarters: quarters / 4),
        st.integers(0, 300).map(float),
        st.sampled_from(CODES),
    ),
    max_size=60,
)


def numbered(rows: list[tuple[int, float, float, str]]) -> list[Trade]:
    return [Trade(i, "SPY", ts_ns, ts_ns, price, size, code) for i, (ts_ns, price, size, code) in enumerate(rows)]


def trade(ts_ns: int, price: float = 10.0, ordinal: int = 0, conditions: str = "") -> Trade:
    return Trade(ordinal, "SPY", ts_ns, ts_ns, price, 100.0, conditions)


@given(prints)
def test_closing_after_all_trades_gives_the_bars_of_the_oracle(rows: list[tuple[int, float, float, str]]) -> None:
    trades = numbered(rows)
    builder = BarBuilder("SPY", 0)

    opened = [builder.add(one, 0) for one in trades]

    minutes = minutes_of(trades)
    assert sorted(minute for minute in opened if minute is not None) == minutes
    assert builder.open_minutes(0) == minutes
    for minute_ns in minutes:
        closed = builder.close(minute_ns)
        expected = naive_bar(trades, minute_ns)
        assert (closed is not None) == expected.priced
        assert closed is None or closed == expected
    assert builder.series.minute_ns.tolist() == [m for m in minutes if naive_bar(trades, m).priced]


@given(prints, st.randoms(use_true_random=False))
def test_open_high_low_and_close_do_not_depend_on_the_order_of_arrival(
    rows: list[tuple[int, float, float, str]], random: Random
) -> None:
    trades = numbered(rows)
    shuffled = list(trades)
    random.shuffle(shuffled)
    one, other = BarBuilder("SPY", 0), BarBuilder("SPY", 0)

    for ordered, mixed in zip(trades, shuffled, strict=True):
        one.add(ordered, 0)
        other.add(mixed, 0)

    assert list(map(repr, one.state()[2])) == list(map(repr, other.state()[2]))


@given(prints, st.integers(0, 60), st.integers(0, 3))
def test_a_builder_restored_in_the_middle_continues_as_if_nothing_had_happened(
    rows: list[tuple[int, float, float, str]], cut: int, closed_minutes: int
) -> None:
    trades = numbered(rows)
    closed_to_ns = closed_minutes * MINUTE_NS
    original = BarBuilder("SPY", MINUTE_NS)
    for one in trades[:cut]:
        original.add(one, 0)
    for minute_ns in range(0, closed_to_ns, MINUTE_NS):
        original.close(minute_ns)
    original.spoil(2 * MINUTE_NS, closed_to_ns)
    since_ns, repaired_to_ns, minutes, lost = original.state()
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(minutes), type=list[WorkingBar])
    successor = BarBuilder("SPY", since_ns)
    successor.restore(repaired_to_ns, kept, lost, [bar.frozen() for bar in original.changed.values()][::-1])
    original.changed.clear()

    opened = [(original.add(one, closed_to_ns), successor.add(one, closed_to_ns)) for one in trades[cut:]]

    assert all(one == other for one, other in opened)
    assert repr(original.state()) == repr(successor.state())
    assert repr(original.changed) == repr(successor.changed)
    assert original.series.vwap.tobytes() == successor.series.vwap.tobytes()


def test_open_and_close_belong_to_the_least_and_greatest_time_and_ordinal() -> None:
    builder = BarBuilder("SPY", 0)
    for ordinal, ts_ns, price in ((3, 20, 3.0), (4, 20, 4.0), (1, 10, 1.0), (2, 10, 2.0), (5, 15, 5.0), (0, 10, 0.5)):
        builder.add(trade(ts_ns, price, ordinal), 0)

    bar = builder.close(0)

    assert bar is not None
    assert (bar.open, bar.close) == (0.5, 4.0)


def test_a_late_trade_revises_the_closed_minute_and_tells_of_it() -> None:
    builder = BarBuilder("SPY", 0)
    builder.add(trade(5, 10.0), 0)
    builder.close(0)
    builder.changed = {}

    opened = builder.add(trade(6, 12.0, ordinal=9), MINUTE_NS)

    assert opened is None
    assert builder.series.close.tolist() == [12.0]
    assert [bar.trades for bar in builder.changed.values()] == [2]


def test_a_trade_that_counts_for_nothing_opens_and_revises_nothing() -> None:
    builder = BarBuilder("SPY", 0)

    assert builder.add(trade(5, conditions="M"), 0) is None
    assert builder.add(trade(5, conditions="9"), MINUTE_NS) is None
    assert not builder.changed
    assert builder.open_minutes(0) == []


def test_the_bar_given_at_the_close_is_left_alone_by_revisions() -> None:
    builder = BarBuilder("SPY", 0)
    builder.add(trade(5, 10.0), 0)
    given_bar = builder.close(0)

    builder.add(trade(6, 12.0, ordinal=9), MINUTE_NS)

    assert given_bar is not None
    assert (given_bar.close, given_bar.trades) == (10.0, 1)


def test_volume_without_a_price_is_no_bar_until_a_price_comes() -> None:
    builder = BarBuilder("SPY", 0)
    builder.add(trade(5, conditions="I"), 0)

    assert builder.close(0) is None
    assert len(builder.series) == 0
    builder.add(trade(6), MINUTE_NS)
    assert builder.series.volume.tolist() == [200.0]


def test_a_minute_subscribed_late_is_partial_and_the_next_complete() -> None:
    builder = BarBuilder("SPY", 30 * SECOND_NS)
    builder.add(trade(40 * SECOND_NS), 0)
    builder.add(trade(MINUTE_NS), 0)

    bars = [builder.close(0), builder.close(MINUTE_NS)]

    assert [bar.flags for bar in bars if bar is not None] == ["partial", "complete"]


def test_a_minute_that_lost_a_trade_is_partial_whether_known_yet_or_not() -> None:
    builder = BarBuilder("SPY", 0)
    for minute in (0, 1):
        builder.add(trade(minute * MINUTE_NS), 0)
    builder.close(0)
    builder.changed = {}

    for minute in (0, 1, 2):
        builder.spoil(minute * MINUTE_NS, MINUTE_NS)
    builder.add(trade(2 * MINUTE_NS), MINUTE_NS)

    assert list(builder.changed) == [("SPY", 0)]
    assert [bar.flags for bar in builder.state()[2]] == ["partial"] * 3


def test_warm_up_minutes_and_the_one_they_continue_in_are_repaired() -> None:
    earlier = [trade(1), trade(MINUTE_NS + 1, ordinal=1)]
    builder = BarBuilder("SPY", MINUTE_NS + 30 * SECOND_NS)

    opened = builder.warm([naive_bar(earlier, 0), naive_bar(earlier, MINUTE_NS)], MINUTE_NS)
    builder.add(trade(MINUTE_NS + 40 * SECOND_NS, 11.0, ordinal=2), MINUTE_NS)
    bar = builder.close(MINUTE_NS)

    assert opened == [MINUTE_NS]
    assert bar is not None
    assert (bar.flags, bar.trades, bar.open, bar.close) == ("repaired", 2, 10.0, 11.0)
    assert [kept.flags for kept in builder.changed.values()] == ["repaired", "repaired"]


def test_minutes_seen_whole_stay_complete_when_the_symbol_comes_back() -> None:
    trades = [trade(minute * MINUTE_NS + 1, ordinal=minute) for minute in range(3)]
    missed = trade(2 * MINUTE_NS + 9, 20.0, ordinal=7)
    builder = BarBuilder("SPY", 0)
    for one in trades:
        builder.add(one, 0)
    for minute in range(3):
        builder.close(minute * MINUTE_NS)
    builder.forget(MINUTE_NS, 0)
    builder.changed = {}
    builder.since_ns = 9 * MINUTE_NS

    builder.warm([naive_bar([*trades, missed], minute * MINUTE_NS) for minute in range(3)], 3 * MINUTE_NS)

    assert {minute // MINUTE_NS: bar.flags for (_, minute), bar in builder.changed.items()} == {2: "repaired"}
    assert builder.series.close.tolist() == [10.0, 10.0, 20.0]


def test_history_makes_good_for_what_was_lost_before_it() -> None:
    builder = BarBuilder("SPY", 0)
    builder.spoil(MINUTE_NS, 0)
    builder.since_ns = MINUTE_NS + 1

    builder.warm([], 0)
    builder.add(trade(MINUTE_NS + 5), 0)

    assert [bar.flags for bar in builder.state()[2]] == ["repaired"]


def test_forgotten_minutes_stay_in_the_series_and_stay_lost() -> None:
    builder = BarBuilder("SPY", 0)
    for minute in range(3):
        builder.add(trade(minute * MINUTE_NS, ordinal=minute), 0)
        builder.close(minute * MINUTE_NS)
        builder.spoil(minute * MINUTE_NS, 3 * MINUTE_NS)

    builder.forget(2 * MINUTE_NS, 0)

    _, _, minutes, lost = builder.state()
    assert [bar.minute_ns for bar in minutes] == [2 * MINUTE_NS]
    assert lost == [0, 3 * MINUTE_NS]
    assert len(builder.series) == 3
