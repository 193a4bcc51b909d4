"""Minutes from the venue's history: bars as without the gap, each trade once, strategies are not called."""

from collections.abc import Iterable, Sequence
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from engine_parts import (
    START_NS,
    QueuedEngine,
    a_quote,
    a_watch,
    an_engine,
    an_entry,
    at,
    kinds,
    mark,
    marks,
    strategy_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.bars import remembered_trades
from desk.bars.folding import CONTENT
from desk.model.bars import BarFields
from desk.model.items import Adopt, Backfill, Cancel, Correction, GapItem, Item, Release, encode_items, encode_trades
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS, SECOND_NS

REPAIR_NS = 7200 * SECOND_NS


def a_print(number: int, seconds: float, price: float = 10.0, size: float = 100.0, conditions: str = "") -> Trade:
    """Trade `number`, with the same number as identity; received when it happened."""
    return Trade(number, "A", at(seconds), at(seconds), price, size, conditions, "V", number, "C")


def history(
    trades: Iterable[Trade], first: int, last: int, asked_s: float = 10_000, gap: tuple[float, float] = (0, 10_000)
) -> Backfill:
    """What the history has of the minutes `first` to `last` (exclusive) of the session."""
    from_ns, to_ns = START_NS + first * MINUTE_NS, START_NS + last * MINUTE_NS
    found = sorted((trade for trade in trades if from_ns <= trade.ts_ns < to_ns), key=lambda trade: trade.ts_ns)
    numbered = [
        msgspec.structs.replace(trade, ordinal=index - len(found), received_ns=0) for index, trade in enumerate(found)
    ]
    return Backfill("A", from_ns, to_ns, encode_trades(numbered), at(asked_s), at(gap[0]), at(gap[1]))


def a_gap(from_s: float, to_s: float, **more: Any) -> GapItem:
    return GapItem(at(from_s), at(to_s), "closed", **more)


def a_desk(**more: Any) -> QueuedEngine:
    engine = an_engine(an_entry(), repair_ns=REPAIR_NS, **more)
    engine.apply([a_watch()])
    return engine


def content(bar: BarFields) -> tuple[Any, ...]:
    """What bars.parquet has of a bar; the ordinals behind open and close are no part of it."""
    kept = [name for name in CONTENT if not name.endswith("_ordinal")]
    return tuple(getattr(bar, name) for name in kept)


def bars_of(engine: QueuedEngine) -> dict[int, tuple[str, tuple[Any, ...]]]:
    """Every published minute: number, flag and content."""
    changed: dict[int, BarFields] = {}
    for bar in engine.pending.bars.values():
        changed[bar.minute_ns] = bar
    return {(ns - START_NS) // MINUTE_NS: (bar.flags, content(bar)) for ns, bar in sorted(changed.items())}


def test_missed_trades_enter_their_minutes_once_and_no_strategy_is_called_with_them() -> None:
    day = [a_print(1, 10), a_print(2, 30, 12.0), a_print(3, 40, 8.0), a_print(4, 50, 11.0), a_print(5, 70)]
    missed = {2, 3}
    engine = a_desk()
    engine.apply([day[0], a_gap(20, 45), day[3], *marks(1, 62), day[4]])
    strategy_of(engine).seen.clear()

    engine.apply([history(day, 0, 1)])

    assert engine.audit.backfilled == len(missed)
    assert engine.audit.trades == len(day)
    assert bars_of(engine)[0][0] == "repaired"
    assert kinds(strategy_of(engine).seen) == []
    clean = a_desk()
    clean.apply([*day[:4], *marks(1, 62), day[4]])
    assert bars_of(engine)[0][1] == bars_of(clean)[0][1]


def test_a_minute_without_a_received_trade_gets_its_bar_whatever_revise_s_says() -> None:
    day = [a_print(1, 10), a_print(2, 70, 12.0), a_print(3, 130)]
    engine = a_desk(revise_s=1)
    engine.apply([day[0], a_gap(20, 125), *marks(1, 126), day[2], *marks(127, 400)])

    engine.apply([history(day, 0, 2), history(day, 2, 3)])

    bars = bars_of(engine)
    assert [flag for flag, _ in bars.values()] == ["repaired"] * 3
    assert [one[CONTENT.index("trades")] for _, one in bars.values()] == [1, 1, 1]
    assert engine.audit.backfilled == 1
    assert instance_bars(engine) == [0, 1, 2]


def instance_bars(engine: QueuedEngine) -> list[int]:
    series = engine.symbols["A"].bars.series
    return [(int(ns) - START_NS) // MINUTE_NS for ns in series.minute_ns]


def test_prices_move_forward_and_never_back() -> None:
    early, late = a_print(1, 10, 10.0), a_print(4, 50, 13.0)
    missed = [a_print(2, 20, 11.0), a_print(3, 55, 12.0, conditions="W")]
    engine = a_desk()
    engine.apply([early, a_gap(15, 45), late, *marks(1, 62)])
    state = engine.symbols["A"]

    engine.apply([history([early, missed[0], late], 0, 1)])
    assert (state.trade, state.pricing.price) == (late, 13.0)

    engine.apply([history([early, *missed, late], 0, 1)])
    assert state.trade is not None
    assert state.trade.trade_id == 3  # the newest that arrived, though it sets no price
    assert state.pricing.price == 13.0

    newest = a_print(9, 59, 14.0)
    engine.apply([history([early, *missed, late, newest], 0, 1)])
    assert state.pricing.price == 14.0


def test_simulated_orders_and_quotes_are_not_touched() -> None:
    engine = a_desk()
    engine.apply([a_print(1, 10), a_quote(2, 11), a_gap(15, 45), *marks(1, 62)])
    before = engine.symbols["A"].quote, engine.symbols["A"].pricing.usable

    engine.apply([history([a_print(1, 10), a_print(7, 20, 9.0)], 0, 1)])

    assert (engine.symbols["A"].quote, engine.symbols["A"].pricing.usable) == before
    assert not engine.pending.reports


@pytest.mark.parametrize(
    "found",
    [
        [a_print(3, 30)],  # lacks trade 1, which the stream sent: another feed, or not complete yet
        [],
        [a_print(1, 10), Trade(-1, "A", at(30), 0, 10.0, 5.0)],  # no identity
    ],
)
def test_a_history_that_lacks_a_received_trade_or_identities_repairs_nothing(found: Sequence[Trade]) -> None:
    engine = a_desk()
    engine.apply([a_print(1, 10), a_gap(15, 45), *marks(1, 62)])
    before = bars_of(engine)

    engine.apply([history(found, 0, 1)])

    assert bars_of(engine) == before
    assert before[0][0] == "partial"
    assert engine.audit.unrepaired == {str(START_NS): 1}
    assert engine.audit.backfilled == 0


def test_a_trade_received_after_the_request_need_not_be_in_the_history() -> None:
    engine = a_desk()
    late = msgspec.structs.replace(a_print(4, 50), received_ns=at(100))
    engine.apply([a_print(1, 10), a_gap(15, 45), *marks(1, 62), late])

    engine.apply([history([a_print(1, 10), a_print(2, 20)], 0, 1, asked_s=90)])

    assert bars_of(engine)[0][0] == "repaired"
    assert engine.audit.trades == 3
    assert not engine.audit.unrepaired


def test_a_trade_of_the_history_that_still_comes_from_the_stream_counts_once() -> None:
    engine = a_desk()
    engine.apply([a_print(1, 10), a_gap(15, 45), *marks(1, 62)])
    engine.apply([history([a_print(1, 10), a_print(2, 20)], 0, 1)])
    before = bars_of(engine)

    engine.apply([a_print(2, 20)])

    assert bars_of(engine) == before
    assert engine.audit.rejected_trades == {"duplicate": 1}


def test_a_complete_minute_that_the_history_confirms_stays_complete() -> None:
    day = [a_print(1, 10), a_print(2, 55)]
    engine = a_desk()
    engine.apply([*day, *marks(1, 64), a_gap(61.5, 63), mark(65)])

    engine.apply([history(day, 0, 1)])

    assert bars_of(engine)[0][0] == "complete"


def test_corrections_and_cancels_of_received_trades_hold_before_and_after_a_repair() -> None:
    day = [a_print(1, 10, 10.0), a_print(2, 20, 20.0), a_print(3, 50, 30.0)]
    cancel = Cancel(10, "A", at(55), at(55), 1, "V", "C")
    correction = Correction(20, "A", at(80), at(80), 3, 31.0, 100.0, "", "V", 30, "C")
    engine = a_desk()

    engine.apply([day[0], a_gap(15, 45), day[2], cancel, *marks(1, 62)])
    engine.apply([history(day, 0, 1), correction])

    fields = dict(zip([n for n in CONTENT if not n.endswith("_ordinal")], bars_of(engine)[0][1], strict=True))
    assert (fields["open"], fields["close"], fields["trades"]) == (20.0, 31.0, 2)


def test_a_symbol_that_is_unknown_is_ignored() -> None:
    engine = a_desk()

    engine.apply([msgspec.structs.replace(history([a_print(1, 10)], 0, 1), symbol="B")])

    assert engine.audit.trades == 0


CONDITIONS = st.sampled_from(["", "I", "W", "Z"])
PRINTS = st.lists(
    st.tuples(st.integers(0, 1799), st.sampled_from([9.0, 10.0, 11.0, 12.0]), CONDITIONS), min_size=1, max_size=40
)


@settings(max_examples=60)
@given(
    PRINTS,
    st.integers(0, 1700),
    st.integers(1, 900),
    st.integers(0, 300),
    st.integers(0, 3),
    st.booleans(),
    st.integers(1, 900),
    st.booleans(),
)
def test_bars_after_a_repair_are_those_of_a_run_without_the_gap(
    prints: list[tuple[int, float, str]],
    from_tenths: int,
    length: int,
    wait_s: int,
    most: int,
    twice: bool,
    revise_s: int,
    restored: bool,
) -> None:
    """Times in tenths of a second: ties are common. `most` is how many trades a memory holds."""
    day = [
        a_print(number, tenths / 10, price, 100.0 + number, conditions)
        for number, (tenths, price, conditions) in enumerate(sorted(prints, key=lambda one: one[0]), 1)
    ]
    gap = (from_tenths / 10, (from_tenths + length) / 10)
    live = [trade for trade in day if not at(gap[0]) <= trade.ts_ns < at(gap[1])]
    end = 1 + max(int(gap[1]), 180)
    first, last = int(gap[0]) // 60, int(gap[1]) // 60 + 1
    repair: list[Item] = [history(day, first, last - 1, gap=gap)] if first < last - 1 else []
    repair += [history(day, last - 1, last, gap=gap)]

    def items(trades: Sequence[Trade], gaps: Sequence[GapItem]) -> list[Item]:
        due: list[tuple[int, int, Item]] = [(trade.ts_ns, 1, trade) for trade in trades]
        due += [(each.session_ns, 0, each) for each in marks(1, end + wait_s)]
        due += [(each.to_ns, 0, each) for each in gaps]
        return [item for _, _, item in sorted(due, key=lambda one: one[:2])]

    with patch.object(remembered_trades, "MOST", 1 + most), patch.object(remembered_trades, "AT_ONCE", 1):
        clean, engine = an_engine(revise_s=revise_s), an_engine(repair_ns=REPAIR_NS, revise_s=revise_s)
        clean.apply([a_watch()])
        engine.apply([a_watch()])
        clean.apply(items(day, []))
        engine.apply(items(live, [a_gap(*gap)]))
        if restored:
            engine = restored_from(engine, revise_s)
        engine.apply(repair * (2 if twice else 1))
        if restored:
            engine = restored_from(engine, revise_s)

    assert engine.audit.trades == clean.audit.trades
    assert engine.audit.backfilled == len(day) - len(live)
    assert not engine.audit.unrepaired
    expected, found = bars_of(clean), bars_of(engine)
    assert {minute: pytest.approx(one, nan_ok=True) for minute, (_, one) in found.items()} == {
        minute: one for minute, (_, one) in expected.items() if minute in found
    }
    assert {minute for minute, (_, one) in expected.items() if minute not in found} == set()
    assert all(flag != "partial" for flag, _ in found.values())


def restored_from(engine: QueuedEngine, revise_s: int) -> QueuedEngine:
    """A successor, restored from a checkpoint of the engine; its bars are those that the keeper has."""
    successor = an_engine(repair_ns=REPAIR_NS, revise_s=revise_s)
    state = engine.snapshot()
    bars = list(engine.pending.bars.values())
    successor.restore(state, [bar.frozen() if hasattr(bar, "frozen") else bar for bar in bars], engine.take_trades())
    successor.pending.bars = engine.pending.bars | successor.pending.bars
    return successor


def test_a_symbol_that_moves_takes_its_repair_along() -> None:
    day = [a_print(1, 10), a_print(2, 20), a_print(3, 50)]
    giver, taker = a_desk(), an_engine(an_entry(), repair_ns=REPAIR_NS)
    giver.apply([day[0], a_gap(15, 45), day[2], *marks(1, 62)])
    taker.apply(marks(1, 62))
    giver.apply([Release(1, list(range(1024)), 1)])
    state = giver.released[1].state

    taker.apply([Adopt(1, list(range(1024)), state, encode_items([mark(62), history(day, 0, 1)]))])
    taker.apply([history(day, 0, 1), msgspec.structs.replace(day[1], ordinal=9)])

    assert taker.audit.backfilled == 1
    assert taker.audit.rejected_trades == {"duplicate": 1}
    assert bars_of(taker)[0][0] == "repaired"
