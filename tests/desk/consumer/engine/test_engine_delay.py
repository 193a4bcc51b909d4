"""A feed that is late by design: minutes close later by its delay and are as complete as without it."""

import pytest
from engine_parts import START_NS, QueuedEngine, RecordingStrategy, an_entry
from hypothesis import given
from hypothesis import strategies as st

from desk.consumer.engine import EngineConfig
from desk.model.items import Close, GapItem, Item, Mark, Unwatch, Watch
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS, SECOND_NS

NS = SECOND_NS
DELAY_NS = 900 * NS


def an_engine(delay_ns: int, session_start_ns: int, revise_s: int = 60) -> tuple[QueuedEngine, RecordingStrategy]:
    witness = RecordingStrategy()
    config = EngineConfig("day", session_start_ns, NS, revise_s * NS, 50_000_000, delay_ns=delay_ns)
    return QueuedEngine(config, [an_entry(lambda: witness)], lambda: 0), witness


def bars(engine: QueuedEngine) -> list[tuple[int, int, str]]:
    """The minutes that are kept in the end: start, trades, flag."""
    changed = engine.pending.bars
    return [(bar.minute_ns, bar.trades, bar.flags) for _, bar in sorted(changed.items())]


def shown(witness: RecordingStrategy) -> list[int]:
    return [seen[1] for seen in witness.seen if seen[0] == "bar"]


def session(delay_ns: int, offsets_s: list[int], minutes: int = 5) -> list[Item]:
    """A session in which each trade is received `delay_ns` after its time, begun so much later, too."""
    start_ns = START_NS + delay_ns
    items: list[Item] = [Watch("A", start_ns)]
    trades = sorted(offsets_s)
    for second in range(1, 60 * minutes + 1):
        while trades and trades[0] < second:
            offset_s = trades.pop(0)
            items.append(Trade(len(items), "A", START_NS + offset_s * NS, 0, 10.0, 100.0))
        items.append(Mark(start_ns + second * NS, 0))
    return items


def play(delay_ns: int, items: list[Item]) -> tuple[list[tuple[int, int, str]], list[int], dict[str, int]]:
    engine, witness = an_engine(delay_ns, START_NS + delay_ns)
    engine.apply(items)
    return bars(engine), shown(witness), engine.audit.rejected_trades


@given(st.lists(st.integers(0, 299), max_size=30), st.sampled_from([NS, 60 * NS, DELAY_NS]))
def test_a_delayed_session_has_the_bars_of_one_that_is_not(offsets_s: list[int], delay_ns: int) -> None:
    expected = play(0, [*session(0, offsets_s), Close(START_NS + 300 * NS)])

    found = play(delay_ns, [*session(delay_ns, offsets_s), Close(START_NS + delay_ns + 300 * NS)])

    assert found == expected
    assert found[2] == {}


@pytest.mark.parametrize("kind", [GapItem, Unwatch])
def test_a_gap_or_the_end_of_a_subscription_touches_the_minutes_whose_data_came_then(kind: type[Item]) -> None:
    def items(delay_ns: int) -> list[Item]:
        start_ns = START_NS + delay_ns
        lost: Item = (
            GapItem(start_ns + 130 * NS, start_ns + 150 * NS, "lost")
            if kind is GapItem
            else Unwatch("A", start_ns + 300 * NS)
        )
        close = Close(start_ns + 300 * NS)
        return [*session(delay_ns, [10, 70, 125, 200, 299]), lost, close]

    assert play(DELAY_NS, items(DELAY_NS)) == play(0, items(0))


def test_a_minute_of_which_a_delayed_feed_had_not_brought_the_end_is_partial() -> None:
    engine, _ = an_engine(DELAY_NS, START_NS + DELAY_NS)
    engine.apply([*session(DELAY_NS, [10, 70], minutes=2)[:-30], Close(START_NS + DELAY_NS + 90 * NS)])

    assert bars(engine) == [(START_NS, 1, "complete"), (START_NS + MINUTE_NS, 1, "partial")]
