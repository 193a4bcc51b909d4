from engine_parts import (
    START_NS,
    RecordingStrategy,
    a_trade,
    a_watch,
    an_engine,
    an_entry,
    at,
    mark,
    marks,
    strategy_of,
)
from hypothesis import given
from hypothesis import strategies as st

from desk import strategy
from desk.consumer.engine.open_minutes import OpenMinutes
from desk.consumer.engine.symbol_state import SymbolState
from desk.model.bars import Bar
from desk.model.units import MINUTE_NS, SECOND_NS, floor_to


def bars_seen(engine: object, symbol: str = "A") -> list[tuple[object, ...]]:
    seen = strategy_of(engine, symbol).seen  # type: ignore[arg-type]
    return [entry[1:] for entry in seen if entry[0] == "bar"]


def test_a_minutes_bar_is_given_at_the_first_mark_past_its_end_and_the_grace() -> None:
    engine = an_engine(an_entry(), grace_s=2)

    engine.apply([a_watch(), a_trade(1, 59.9), *marks(1, 61)])
    early = bars_seen(engine)
    engine.apply([a_trade(2, 59.95, price=12.0), mark(62)])

    assert early == []
    assert bars_seen(engine) == [(at(0), 12.0)]
    assert strategy_of(engine).seen[-2:] == [("bar", at(0), 12.0), ("second", at(62))]


def test_marks_that_skip_the_moment_still_give_every_bar_in_order() -> None:
    engine = an_engine(an_entry())

    engine.apply([a_watch(), a_trade(1, 10), a_trade(2, 70, price=11.0), mark(500)])

    assert bars_seen(engine) == [(at(0), 10.0), (at(60), 11.0)]


def test_late_trades_revise_a_bar_without_giving_it_again() -> None:
    engine = an_engine(an_entry())

    engine.apply([a_watch(), a_trade(1, 10), *marks(1, 61)])
    engine.take_bars()
    engine.apply([a_trade(2, 59, price=13.0), *marks(62, 130)])

    assert bars_seen(engine) == [(at(0), 10.0)]
    assert [(bar.close, bar.volume, bar.flags) for bar in engine.take_bars()] == [(13.0, 200.0, "complete")]
    assert engine.symbols["A"].bars.series.close.tolist() == [13.0]


def test_a_late_trade_of_a_quiet_minute_makes_a_bar_that_is_not_given() -> None:
    engine = an_engine(an_entry())

    engine.apply([a_watch(), *marks(1, 61), a_trade(1, 30), *marks(62, 200)])

    assert bars_seen(engine) == []
    assert [bar.minute_ns for bar in engine.take_bars()] == [at(0)]


class Keeping(RecordingStrategy):
    """Keeps the bar that it was given."""

    def on_bar(self, ctx: strategy.Context, bar: Bar) -> None:
        self.bar = bar


def test_a_bar_that_a_strategy_kept_is_not_revised_under_its_hands() -> None:
    engine = an_engine(an_entry(Keeping))

    engine.apply([a_watch(), a_trade(1, 10), *marks(1, 61), a_trade(2, 20, price=99.0)])

    assert strategy_of(engine).bar.close == 10.0


def test_bars_are_given_by_minute_then_symbol() -> None:
    given_bars: list[tuple[str, int]] = []

    class Noting(RecordingStrategy):
        def on_bar(self, ctx: strategy.Context, bar: Bar) -> None:
            given_bars.append((ctx.symbol, bar.minute_ns))

    engine = an_engine(an_entry(Noting))

    engine.apply([a_watch("B"), a_watch("A"), a_trade(1, 70, symbol="A"), a_trade(2, 70, symbol="B"), a_trade(3, 10)])
    engine.apply([mark(200)])

    assert given_bars == [("A", at(0)), ("A", at(60)), ("B", at(60))]


@given(
    grace_s=st.integers(0, 200),
    more_s=st.integers(0, 400),
    steps=st.lists(st.integers(1, 90), min_size=1, max_size=40),
    minutes=st.sets(st.integers(0, 20)),
)
def test_every_minute_closes_once_on_time_and_is_discarded_on_time(
    grace_s: int, more_s: int, steps: list[int], minutes: set[int]
) -> None:
    revise_s = grace_s + more_s
    clock = OpenMinutes(START_NS, grace_s * SECOND_NS, revise_s * SECOND_NS)
    state = SymbolState("A", START_NS)
    for minute in minutes:
        clock.opened(START_NS + minute * MINUTE_NS, state)

    now_ns, closed = START_NS, set()
    for step in steps:
        now_ns += step * SECOND_NS
        for minute_ns, _ in clock.close_until(now_ns):
            assert minute_ns + MINUTE_NS + grace_s * SECOND_NS <= now_ns
            assert minute_ns not in closed
            closed.add(minute_ns)
        clock.expire_until(now_ns)

        open_still = {START_NS + minute * MINUTE_NS for minute in minutes} - closed
        assert all(minute_ns + MINUTE_NS + grace_s * SECOND_NS > now_ns for minute_ns in open_still)
        assert clock.revisable_from_ns == max(
            floor_to(now_ns - revise_s * SECOND_NS, MINUTE_NS), floor_to(START_NS - revise_s * SECOND_NS, MINUTE_NS)
        )
        assert clock.revisable_from_ns <= clock.closed_to_ns
