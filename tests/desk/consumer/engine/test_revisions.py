"""Duplicates, corrections and cancels: every minute is the fold of the valid trades."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec
import pytest
from engine_parts import (
    START_NS,
    QueuedEngine,
    RecordingStrategy,
    TradeLog,
    a_quote,
    a_watch,
    an_engine,
    an_entry,
    at,
    instance_of,
    kinds,
    mark,
    marks,
    strategy_of,
)
from examples import examples
from hypothesis import example, given
from hypothesis import strategies as st

from desk.bars import remembered_trades
from desk.model.bars import Bar
from desk.model.items import Close, Item
from desk.model.ticks import Cancel, Correction, Trade
from desk.model.units import MINUTE_NS, SECOND_NS

PRICED = {"": (True, True, True), "Z": (True, True, False), "I": (True, False, False), "M": (False, False, False)}
REVISE_S = 120
LARGEST_ID = 2**64 - 1


def trade(ordinal: int, seconds: float, price: float = 10.0, trade_id: int = 0, **more: Any) -> Trade:
    return Trade(ordinal, "A", at(seconds), 0, price, more.pop("size", 100.0), trade_id=trade_id, **more)


def correct(ordinal: int, seconds: float, old: int, new: int, price: float = 10.0, **more: Any) -> Correction:
    return Correction(ordinal, "A", at(seconds), 0, old, price, more.pop("size", 100.0), trade_id=new, **more)


def cancel(ordinal: int, seconds: float, old: int, **more: Any) -> Cancel:
    return Cancel(ordinal, "A", at(seconds), 0, old, **more)


# The oracle: what stands is kept as a list, and folded from nothing.


@dataclass
class Print:
    """A trade as the oracle knows it: what it is now, and every id it ever had."""

    ordinal: int
    ts_ns: int
    price: float
    size: float
    code: str
    ids: list[int]
    stands: bool = True


@dataclass
class Oracle:
    """Reads items one by one. `window` are the prints that may be known again, oldest first."""

    prints: list[Print] = field(default_factory=list)
    window: list[Print] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    applied: int = 0
    now_ns: int = START_NS
    named: bool = False

    def read(self, item: Item) -> None:
        match item:
            case Trade():
                self.trade(item)
            case Correction() | Cancel():
                self.revise(item)
            case _:
                self.now_ns = max(self.now_ns, getattr(item, "session_ns", 0))
                self.grow_old()

    @property
    def revisable_ns(self) -> int:
        return (self.now_ns - REVISE_S * SECOND_NS) // MINUTE_NS * MINUTE_NS

    def grow_old(self) -> None:
        while self.window and self.window[0].ts_ns < self.revisable_ns - remembered_trades.LATE_NS:
            self.window.pop(0)

    def trade(self, item: Trade) -> None:
        if item.ts_ns < self.revisable_ns:
            self.rejected.append("late")
            return
        if item.trade_id and any(item.trade_id in each.ids for each in self.window):
            self.rejected.append("duplicate")
            return
        self.applied += 1
        self.named = self.named or item.trade_id > 0
        ids = [item.trade_id] if item.trade_id else []
        found = Print(item.ordinal, item.ts_ns, item.price, item.size, item.conditions, ids)
        self.prints.append(found)
        if self.named:
            self.window.append(found)
            if len(self.window) > remembered_trades.MOST:
                del self.window[: remembered_trades.AT_ONCE]

    def revise(self, item: Correction | Cancel) -> None:
        known = next((each for each in self.window if item.original_id in each.ids), None)
        if known is None or not item.original_id:
            self.rejected.append("late" if item.ts_ns < self.revisable_ns else "unmatched")
            return
        current = known.ids[-1] == item.original_id
        if self.is_already(known, item):
            self.rejected.append("duplicate")
        elif not (current and known.stands):
            self.rejected.append("unmatched")
        elif known.ts_ns < self.revisable_ns:
            self.rejected.append("late")
        else:
            self.applied += 1
            self.change(known, item)

    def is_already(self, known: Print, item: Correction | Cancel) -> bool:
        """Whether a message under the same id was carried out before, and left what this one would make."""
        if not known.stands:
            gone = isinstance(item, Cancel) or self.is_another(known, item)
            return gone and known.ids[-1] == item.original_id
        if isinstance(item, Cancel) or item.original_id not in known.ids[:-1]:
            return False
        now = (known.ids[-1], known.price, known.size, known.code)
        return now == (item.trade_id, item.price, item.size, item.conditions)

    def is_another(self, known: Print, item: Correction) -> bool:
        return any(item.trade_id in each.ids for each in self.window if each is not known and item.trade_id)

    def change(self, known: Print, item: Correction | Cancel) -> None:
        if isinstance(item, Cancel) or self.is_another(known, item):
            known.stands = False
            return
        known.price, known.size, known.code = item.price, item.size, item.conditions
        known.ids.append(item.trade_id)

    def minutes(self) -> dict[int, tuple[Any, ...]]:
        """What a minute's bar must say: open, high, low, close, volume, notional, trades."""
        found: dict[int, tuple[Any, ...]] = {}
        for minute_ns in {each.ts_ns // MINUTE_NS * MINUTE_NS for each in self.prints if each.stands}:
            here = [each for each in self.prints if each.stands and each.ts_ns // MINUTE_NS * MINUTE_NS == minute_ns]
            counted = [each for each in here if PRICED[each.code][0]]
            ranged = [each.price for each in here if PRICED[each.code][1]]
            sets = sorted((each.ts_ns, each.ordinal, each.price) for each in here if PRICED[each.code][2])
            volume = notional = 0.0
            for each in counted:
                volume += each.size
                notional += each.price * each.size
            if sets:
                found[minute_ns] = (
                    *(sets[0][2], max(ranged), min(ranged), sets[-1][2]),
                    *(volume, notional, len(counted)),
                )
        return found


def said(bars: Iterable[Bar]) -> dict[int, tuple[Any, ...]]:
    return {
        bar.minute_ns: (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.notional, bar.trades)
        for bar in bars
        if bar.priced
    }


class Kept:
    """An engine with its keeper. It can die, be restored from its last checkpoint, and replay the later items."""

    def __init__(self) -> None:
        self.engine = self.fresh()
        self.bars: dict[int, Bar] = {}
        self.trades = TradeLog()
        self.state = self.engine.snapshot()
        self.since: list[Item] = []

    def fresh(self) -> QueuedEngine:
        return an_engine(revise_s=REVISE_S)

    def apply(self, item: Item) -> None:
        self.since.append(item)
        self.engine.apply([item])

    def checkpoint(self) -> None:
        self.bars |= {bar.minute_ns: bar for bar in self.engine.take_bars()}
        self.state = self.engine.snapshot()
        self.trades.take(self.engine.take_trades())
        self.since = []

    def die(self) -> None:
        self.engine = self.fresh()
        closed = [msgspec.msgpack.decode(msgspec.msgpack.encode(bar), type=Bar) for bar in self.bars.values()]
        self.engine.restore(self.state, closed, self.trades)
        self.engine.apply(self.since)


def stream(random: Random, length: int) -> list[Item]:
    """Trades with and without ids, again and again, and what revises them, in any order."""
    items: list[Item] = [a_watch()]
    now_s, given = 0.0, [0]
    for ordinal in range(1, length):
        now_s += random.choice((0, 0, 0.01, 0.5, 5, 30))
        seconds = max(now_s - random.choice((0, 0, 0, 1, 20, 70, 130, 200)), 0)
        price, size = 10 + random.randrange(40) / 7, random.choice((100.0, 0.1, 0.7, 3.0))
        old = random.choice(given[-8:])
        new = random.choice((ordinal, ordinal, ordinal, old, 0))
        code = random.choice(("", "", "", "I", "M", "Z"))
        match random.randrange(8):
            case 0 | 1 | 2 | 3:
                items.append(trade(ordinal, seconds, price, new, size=size, conditions=code))
                given.append(new)
            case 4:
                items.append(correct(ordinal, now_s, old, new, price, size=size, conditions=code))
                given.append(new)
            case 5:
                items.append(cancel(ordinal, now_s, old))
            case 6 if items and not isinstance(items[-1], Close):
                again = random.choice(items[-4:])
                if isinstance(again, Trade | Correction | Cancel):
                    items.append(msgspec.structs.replace(again, ordinal=ordinal))
            case _:
                now_s = int(now_s) + 1
                items.append(mark(now_s))
    return [*items, Close(at(now_s))]


@examples(150)
@given(st.integers(0, 2**32), st.integers(2, 120), st.booleans())
@example(48580, 73, False)
def test_minutes_are_the_fold_of_the_surviving_trades_through_restarts(seed: int, length: int, named: bool) -> None:
    random = Random(seed)
    items = stream(random, length)
    if named:
        items.insert(1, trade(0, 0, 11.0, LARGEST_ID))
    oracle, kept = Oracle(), Kept()

    for item in items:
        kept.apply(item)
        oracle.read(item)
        if random.random() < 0.2:
            kept.checkpoint()
        if random.random() < 0.1:
            kept.die()
    kept.checkpoint()

    assert said(kept.bars.values()) == oracle.minutes()
    audit = kept.engine.audit
    assert audit.trades == oracle.applied
    assert audit.rejected_trades == {cause: oracle.rejected.count(cause) for cause in set(oracle.rejected)}
    assert len(kept.engine.symbols["A"].bars.series) == len(oracle.minutes())


def test_the_property_is_about_every_outcome_and_trades_that_leave_the_memory() -> None:
    outcomes: set[str] = set()
    left = 0
    for seed in range(40):
        oracle = Oracle()
        for item in stream(Random(seed), 120):
            oracle.read(item)
        outcomes.update(oracle.rejected)
        left += len(oracle.prints) - len(oracle.window)

    assert outcomes == {"late", "duplicate", "unmatched"}
    assert left > 1_000


# Single cases


def minute(engine: QueuedEngine, minute_ns: int = START_NS) -> tuple[Any, ...]:
    """high, low, close, volume, trades of a minute, closed or not."""
    bars = {bar.minute_ns: bar for bar in engine.symbols["A"].bars.state()[2]}
    bar = bars[minute_ns]
    return bar.high, bar.low, bar.close, bar.volume, bar.trades


@pytest.mark.parametrize(
    "again",
    [
        trade(2, 1, 10.0, 5, exchange="V", tape="C"),
        trade(2, 7, 99.0, 5, exchange="V", tape="C", size=1.0),
    ],
    ids=["the same", "the same id, otherwise different"],
)
def test_a_known_identity_reaches_neither_bars_nor_hooks_nor_the_last_print(again: Trade) -> None:
    engine = an_engine(an_entry())
    engine.apply([a_watch(), trade(1, 1, 10.0, 5, exchange="V", tape="C"), again, mark(8)])

    assert minute(engine) == (10.0, 10.0, 10.0, 100.0, 1)
    assert kinds(strategy_of(engine).seen) == ["trade", "second"]
    assert engine.symbols["A"].trade == trade(1, 1, 10.0, 5, exchange="V", tape="C")
    assert (engine.audit.trades, engine.audit.rejected_trades) == (1, {"duplicate": 1})


@pytest.mark.parametrize(
    "other",
    [
        {"exchange": "X", "tape": "C"},
        {"exchange": "V", "tape": "A"},
        {"exchange": "V", "tape": "C", "trade_id": 6},
        {"exchange": "V", "tape": "C", "trade_id": 5 + 2**63},
    ],
)
def test_another_exchange_tape_or_id_is_another_trade(other: dict[str, Any]) -> None:
    engine = an_engine()
    second = trade(2, 1, **({"trade_id": 5} | other))

    engine.apply([a_watch(), trade(1, 1, 10.0, 5, exchange="V", tape="C"), second])

    assert engine.audit.trades == 2


def test_the_same_id_of_another_symbol_is_another_trade() -> None:
    engine = an_engine()

    engine.apply([a_watch("A"), a_watch("B"), Trade(1, "A", at(1), 0, 1.0, 1.0, trade_id=5)])
    engine.apply([Trade(2, "B", at(1), 0, 1.0, 1.0, trade_id=5)])

    assert engine.audit.trades == 2


def test_trades_without_an_id_are_never_duplicates() -> None:
    engine = an_engine()

    engine.apply([a_watch(), trade(1, 1), trade(2, 1), trade(3, 1, trade_id=4), trade(4, 1), trade(5, 1)])

    assert (engine.audit.trades, engine.audit.rejected_trades) == (5, {})


def test_a_cancelled_print_leaves_nothing_behind() -> None:
    engine = an_engine(an_entry())
    engine.apply([a_watch(), trade(1, 1, 10.0, 5), trade(2, 2, 1000.0, 6), *marks(3, 61)])
    before = len(strategy_of(engine).seen)

    engine.apply([cancel(3, 61, 6)])

    assert minute(engine) == (10.0, 10.0, 10.0, 100.0, 1)
    ctx = instance_of(engine).context
    assert (ctx.bars.high.tolist(), ctx.bars.volume.tolist()) == ([10.0], [100.0])
    assert ctx.trade.trade_id == 5
    assert len(strategy_of(engine).seen) == before


def test_a_corrected_print_stands_at_its_old_place() -> None:
    engine = an_engine(an_entry())
    engine.apply([a_watch(), trade(1, 1, 10.0, 5), trade(2, 2, 10.5, 6, size=50_000.0), trade(3, 2, 10.25, 7)])

    engine.apply([correct(4, 30, 6, 60, 11.0, size=500.0)])

    assert minute(engine) == (11.0, 10.0, 10.25, 700.0, 3)
    assert instance_of(engine).context.trade.trade_id == 7


def test_the_last_print_is_the_corrected_one_if_it_was_that() -> None:
    engine = an_engine(an_entry())
    engine.apply([a_watch(), trade(1, 1, 10.0, 5), trade(2, 2, 10.5, 6)])

    engine.apply([correct(3, 30, 6, 60, 11.0, size=500.0)])

    last = instance_of(engine).context.trade
    assert (last.ordinal, last.ts_ns, last.price, last.size, last.trade_id) == (2, at(2), 11.0, 500.0, 60)


def test_a_symbol_of_which_all_prints_were_cancelled_has_no_last_print_and_no_minute() -> None:
    engine = an_engine(an_entry())
    engine.apply([a_watch(), trade(1, 1, 10.0, 5), *marks(1, 61)])
    engine.take_bars()

    engine.apply([cancel(2, 62, 5)])

    (bar,) = engine.take_bars()
    assert (bar.priced, bar.volume, bar.trades) == (False, 0.0, 0)
    assert instance_of(engine).context.trade is None
    assert len(instance_of(engine).context.bars) == 0


def test_the_last_print_may_be_one_that_has_left_the_memory_or_had_no_id() -> None:
    engine = an_engine(an_entry())

    engine.apply([a_watch(), trade(1, 1, 9.0), trade(2, 2, 10.0, 5), cancel(3, 3, 5)])

    assert instance_of(engine).context.trade.price == 9.0


def test_a_correction_can_make_a_print_count_that_did_not() -> None:
    engine = an_engine()
    engine.apply([a_watch(), trade(1, 1, 10.0, 5, conditions="M"), *marks(1, 2)])

    engine.apply([correct(2, 3, 5, 6, 10.0), *marks(4, 61)])

    assert [(bar.minute_ns, bar.close) for bar in engine.take_bars()] == [(START_NS, 10.0)]


@pytest.mark.parametrize(
    ("items", "causes"),
    [
        ([cancel(2, 2, 9)], {"unmatched": 1}),
        ([cancel(2, 2, 0)], {"unmatched": 1}),
        ([correct(2, 2, 9, 10)], {"unmatched": 1}),
        ([cancel(2, 2, 5, exchange="V")], {"unmatched": 1}),
        ([cancel(2, 2, 5), cancel(3, 3, 5)], {"duplicate": 1}),
        ([cancel(2, 2, 5), trade(3, 3, 10.0, 5)], {"duplicate": 1}),
        ([correct(2, 2, 5, 6, 11.0), correct(3, 3, 5, 6, 11.0)], {"duplicate": 1}),
        ([correct(2, 2, 5, 6, 11.0), trade(3, 3, 11.0, 6)], {"duplicate": 1}),
        ([correct(2, 2, 5, 6, 11.0), trade(3, 3, 10.0, 5)], {"duplicate": 1}),
        ([correct(2, 2, 5, 5, 11.0), correct(3, 3, 5, 5, 11.0)], {"duplicate": 1}),
        ([correct(2, 2, 5, 6, 11.0), correct(3, 3, 6, 6, 11.0)], {}),
        ([correct(2, 2, 5, 6, 11.0), correct(3, 3, 6, 6, 11.0), correct(4, 4, 6, 6, 11.0)], {"duplicate": 1}),
        ([trade(2, 2, 11.0, 6), correct(3, 3, 5, 6, 11.0), correct(4, 4, 5, 6, 11.0)], {"duplicate": 1}),
        ([correct(2, 2, 5, 6, 11.0), cancel(3, 3, 5)], {"unmatched": 1}),
        ([cancel(2, 2, 5), correct(3, 3, 5, 6)], {"unmatched": 1}),
        ([mark(200), cancel(2, 200, 5)], {"late": 1}),
        ([mark(200), cancel(2, 3, 77)], {"late": 1}),
        ([mark(2_000), cancel(2, 2_000, 5)], {"unmatched": 1}),
    ],
)
def test_what_cannot_be_carried_out_is_rejected_under_its_cause(items: list[Item], causes: dict[str, int]) -> None:
    engine = an_engine(revise_s=60)

    engine.apply([a_watch(), trade(1, 1, 10.0, 5), *items])

    assert engine.audit.rejected_trades == causes


def test_a_corrected_print_can_be_corrected_and_cancelled_under_its_new_id() -> None:
    engine = an_engine()
    engine.apply([a_watch(), trade(1, 1, 10.0, 5), correct(2, 2, 5, 6, 11.0), correct(3, 3, 6, 5, 12.0)])
    assert minute(engine) == (12.0, 12.0, 12.0, 100.0, 1)

    engine.apply([cancel(4, 4, 5), trade(5, 5, 3.0, 7)])

    assert minute(engine) == (3.0, 3.0, 3.0, 100.0, 1)
    assert engine.audit.rejected_trades == {}


def test_a_correction_to_a_trade_that_came_already_leaves_one_of_the_two() -> None:
    engine = an_engine()
    engine.apply([a_watch(), trade(1, 1, 10.0, 5), trade(2, 2, 11.0, 6)])

    engine.apply([correct(3, 3, 5, 6, 11.0)])

    assert minute(engine) == (11.0, 11.0, 11.0, 100.0, 1)


def test_corrections_for_a_symbol_that_is_not_watched_or_that_come_again_are_accounted_for() -> None:
    engine = an_engine()

    engine.apply([cancel(1, 1, 5), a_watch(), trade(2, 1, 10.0, 5), cancel(3, 1, 5), cancel(3, 1, 5)])

    assert (engine.audit.trades, engine.audit.repeated) == (2, 1)
    assert engine.audit.rejected_trades == {"unwatched": 1}


def test_a_quote_after_a_correction_is_not_taken_for_an_old_one() -> None:
    engine = an_engine(an_entry(RecordingStrategy))

    engine.apply([a_watch(), trade(1, 1, 10.0, 5), cancel(2, 1, 5), a_quote(3, 1)])

    assert engine.audit.quotes == 1
