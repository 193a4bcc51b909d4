from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from pipeline_parts import NO_PARAMS, START_NS, MemoryDesk, Row, Rows, ScriptedScanner, at, marks_of, ticks_of

from desk import strategy
from desk.consumer.engine import StrategyEntry
from desk.feeds.synthetic.market import SyntheticConfig, SyntheticMarket
from desk.inprocess.direct_calls import LocalScanners
from desk.model.bars import Bar
from desk.model.errors import RunFailed
from desk.model.items import Unwatch, Watch
from desk.model.records import ScanAnswer
from desk.scanner import MarketSnapshot, Scanner
from desk.scanning.market_view import MarketView
from desk.scanning.runner import MAX_WITH_MINUTES, ScannerRunner
from desk.scanning.scanner_calls import MAX_PROBLEMS, ScannerEntry

TAPE = [Row(number / 10, "ABC"[number % 3]) for number in range(100)]


class Doing(Scanner):
    """Does what a test tells it to."""

    def __init__(self, act: Callable[[MarketSnapshot], Any]) -> None:
        super().__init__(NO_PARAMS)
        self.act = act

    def scan(self, market: MarketSnapshot) -> list[str]:
        wanted: list[str] = self.act(market)
        return wanted


def a_scanner(act: Callable[[MarketSnapshot], Any], name: str = "S", every_s: int = 2, most: int = 10) -> ScannerEntry:
    return ScannerEntry(name, Doing(act), every_s, most)


def view() -> MarketView:
    return MarketView(Rows(TAPE))


def scanning(*entries: ScannerEntry) -> ScannerRunner:
    return ScannerRunner(view(), entries, START_NS, view)


def test_scanners_are_asked_on_their_periods_counted_from_the_start() -> None:
    one = scanning(a_scanner(lambda market: [], every_s=2), a_scanner(lambda market: [], "T", every_s=3))

    due = [[entry.name for entry in one.due(at(second))] for second in range(7)]

    assert due == [[], [], ["S"], ["T"], ["S"], [], ["S", "T"]]


def test_a_scan_sees_the_market_up_to_its_mark_and_brings_the_minutes_up_to_the_next() -> None:
    seen: list[MarketSnapshot] = []

    def scan(market: MarketSnapshot) -> list[str]:
        seen.append(market)
        return ["B"]

    one = scanning(a_scanner(scan))

    (answer,) = one.scan(at(2), ["A"])

    assert [market.trades.sum() for market in seen] == [20]
    assert (answer.scanner, answer.symbols) == ("S", ["B"])
    assert [bar.trades for bar in answer.bars["B"]] == [10]


def test_only_new_symbols_bring_their_minutes_and_a_quiet_one_brings_none() -> None:
    tape = [*TAPE, Row(0.5, "D", "quote")]
    one = ScannerRunner(MarketView(Rows(tape)), [a_scanner(lambda market: ["A", "D"])], START_NS)

    (answer,) = one.scan(at(2), ["A"])

    assert answer.bars == {"D": []}


def test_symbols_past_the_most_are_cut_off() -> None:
    one = scanning(a_scanner(lambda market: ["C", "A", "B"], most=2))

    (answer,) = one.scan(at(2), [])

    assert answer.symbols == ["C", "A"]


def test_names_out_of_numpy_arrays_are_plain_names() -> None:
    import numpy as np  # noqa: PLC0415 - the one place that needs it

    one = scanning(a_scanner(lambda market: np.array(market.symbols)))

    (answer,) = one.scan(at(2), [])

    assert [type(symbol) for symbol in answer.symbols] == [str] * 3


def fail(market: MarketSnapshot) -> list[str]:
    if market.now_ns > at(2):
        raise SystemExit("broken")
    return ["A"]


def test_a_scanner_that_raises_keeps_its_last_wish_and_is_reported_once() -> None:
    one = scanning(a_scanner(fail), a_scanner(lambda market: ["B"], "T"))

    answers = [one.scan(at(second), []) for second in (2, 4, 6)]

    assert [[answer.symbols for answer in of_mark] for of_mark in answers] == [[["A"], ["B"]]] * 3
    assert [bool(answer.problem) for of_mark in answers for answer in of_mark] == [
        False,
        False,
        True,
        False,
        True,
        False,
    ]
    (problem,) = one.problems
    assert problem.startswith("scanner S failed: SystemExit: broken\nTraceback")
    assert problem.endswith("SystemExit: broken")


@pytest.mark.parametrize(
    ("answer", "cause"), [(["NOPE"], "NOPE"), (None, "TypeError"), (["A", 7], "unknown symbols: 7")]
)
def test_an_answer_that_makes_no_sense_is_a_fault_of_the_scanner(answer: Any, cause: str) -> None:
    one = scanning(a_scanner(lambda market: answer))

    (told,) = one.scan(at(2), [])

    assert told.symbols == []
    assert cause in told.problem


def test_problems_that_never_repeat_are_not_kept_for_ever() -> None:
    one = scanning(a_scanner(lambda market: [f"NOPE{market.now_ns}"]))

    for second in range(2, 100, 2):
        one.scan(at(second), [])

    assert len(one.problems) == MAX_PROBLEMS


def watches(desk: MemoryDesk, symbol: str) -> list[tuple[int, str, Any]]:
    """(mark before it, Watch or Unwatch, its scanners) for the symbol, in its lane's order."""
    found: list[tuple[int, str, Any]] = []
    mark_ns = START_NS
    for item in desk.wire.items(desk.loop.lane_of(symbol).shard):
        if marks_of([item]):
            (mark_ns,) = marks_of([item])
        if isinstance(item, Watch | Unwatch) and item.symbol == symbol:
            second = (mark_ns - START_NS) // 1_000_000_000
            found.append((second, type(item).__name__, getattr(item, "scanners", None)))
    return found


@pytest.mark.parametrize("lockstep", [True, False])
def test_a_scan_takes_effect_at_the_next_mark(lockstep: bool) -> None:
    wanting = ScriptedScanner({0: [], 4: ["B"], 6: ["A", "B"], 8: []})
    desk = MemoryDesk(
        Rows(TAPE), ("A",), scanners=[ScannerEntry("S", wanting, 2, 9)], lockstep=lockstep, max_batch_bytes=200
    ).play()

    assert watches(desk, "B") == [(5, "Watch", ["S"]), (9, "Unwatch", None)]
    assert watches(desk, "A") == [(0, "Watch", [""]), (7, "Watch", ["", "S"]), (9, "Watch", [""])]
    ticks = [tick for tick in ticks_of(desk.wire.items(desk.loop.lane_of("B").shard)) if tick.symbol == "B"]
    assert [tick.ordinal for tick in ticks] == [number for number in range(50, 90) if number % 3 == 1]
    watched = {
        symbol for shard in desk.consumers.values() for symbol, one in shard.engine.symbols.items() if one.watched
    }
    assert watched == {"A"}
    assert desk.balance() == {"trades": 0, "quotes": 0, "notices": 0}


@pytest.mark.parametrize("lockstep", [True, False])
def test_what_a_scanner_wanted_last_stays_when_it_is_stopped(lockstep: bool) -> None:
    wanting = ScriptedScanner({0: ["B"], 6: ["A"]})
    entry = ScannerEntry("S", wanting, 2, 9)
    other = ScannerEntry("T", ScriptedScanner({0: [], 6: ["C"]}), 2, 9)

    def stop(market: MarketSnapshot) -> list[str]:
        if market.now_ns >= at(4):
            entry.scanner, entry.stopped = None, "no progress"
        return []

    scanners = [entry, a_scanner(stop, "U"), other]
    desk = MemoryDesk(Rows(TAPE), (), scanners=scanners, lockstep=lockstep, max_batch_bytes=200).play()

    assert watches(desk, "A") == []
    assert watches(desk, "B") == [(3, "Watch", ["S"])]
    assert watches(desk, "C") == [(7, "Watch", ["T"])]


def test_a_symbol_that_is_held_stays_until_it_is_sold() -> None:
    class Holder(strategy.Strategy):
        def on_second(self, ctx: strategy.Context) -> None:
            second = (ctx.now_ns - START_NS) // 1_000_000_000
            if second == 4:
                ctx.buy(1)
            if second == 6:
                ctx.close()

    wanting = ScriptedScanner({0: ["B"], 4: []})
    entry = StrategyEntry("s", lambda: Holder(NO_PARAMS), scanner="S")

    desk = MemoryDesk(Rows(TAPE), (), [entry], [ScannerEntry("S", wanting, 2, 9)]).play()

    assert watches(desk, "B") == [(3, "Watch", ["S"]), (5, "Watch", []), (7, "Unwatch", None)]
    assert [position.quantity for position in desk.manager.positions().values()] == [0.0]
    assert len(desk.book.decisions()) == 2


def content(bar: Bar) -> tuple[Any, ...]:
    return tuple(getattr(bar, name) for name in bar.__struct_fields__ if name != "flags")


@pytest.mark.parametrize("found_at", [2, 58, 60, 62, 90])
def test_a_symbol_found_by_a_scanner_has_the_bars_of_one_subscribed_from_the_start(found_at: int) -> None:
    market = SyntheticMarket(
        SyntheticConfig(3, 8, 60.0, START_NS - 20 * 1_000_000_000, 230, late_fraction=0.2, odd_lot_fraction=0.3)
    )
    start_ns = market.start_ns
    second = found_at + 20
    wanting = ScriptedScanner({-20: [], found_at: market.symbols})
    scanner = ScannerEntry("S", wanting, second, 99)
    seen: dict[bool, dict[tuple[str, int], list[float]]] = {True: {}, False: {}}

    def look(found: bool) -> StrategyEntry:
        class Looking(strategy.Strategy):
            def on_second(self, ctx: strategy.Context) -> None:
                assert ctx.warm
                seen[found][ctx.symbol, ctx.now_ns] = ctx.bars.close.tolist()

        return StrategyEntry("s", lambda: Looking(NO_PARAMS))

    found = MemoryDesk(market, market.symbols[:1], [look(True)], [scanner], start_ns=start_ns, shards=3).play()
    always = MemoryDesk(market, market.symbols, [look(False)], start_ns=start_ns, shards=3).play()

    assert [content(bar) for bar in found.store.rows.values() if bar.priced] != []
    assert bars_of(found) == bars_of(always)
    assert seen[True].items() <= seen[False].items()
    assert {symbol for symbol, _ in seen[True]} == set(market.symbols)
    flags = {bar.flags for (symbol, _), bar in found.store.rows.items() if symbol != market.symbols[0]}
    assert flags == {"repaired", "complete", "partial"}


def bars_of(desk: MemoryDesk) -> dict[tuple[str, int], tuple[Any, ...]]:
    return {key: content(bar) for key, bar in sorted(desk.store.rows.items()) if bar.priced}


@pytest.mark.parametrize("answer", [None, "AAA", {"A": 1}, iter(["A"])])
def test_an_answer_that_is_no_list_is_named_as_what_it_is(answer: Any) -> None:
    one = scanning(a_scanner(lambda market: answer))

    one.scan(at(2), [])

    assert f"scan returned {type(answer).__name__}; expected a list of symbols" in one.problems[0]


class Counting(Scanner):
    """Remembers how often it looked; wants another symbol each time, and fails every fourth time."""

    def __init__(self) -> None:
        super().__init__(NO_PARAMS)
        self.seen: list[tuple[int, int]] = []

    def scan(self, market: MarketSnapshot) -> list[str]:
        self.seen.append((market.now_ns, int(market.trades.sum())))
        if len(self.seen) % 4 == 0:
            raise RuntimeError("every fourth time")
        return ["ABC"[len(self.seen) % 3]]


def stateful() -> tuple[ScannerRunner, list[Counting]]:
    scanners = [Counting(), Counting()]
    entries = [ScannerEntry("S", scanners[0], 2, 9), ScannerEntry("T", scanners[1], 3, 9)]
    return scanning(*entries), scanners


def undisturbed() -> tuple[dict[int, list[ScanAnswer]], list[str], int, list[Counting]]:
    """What scanners that nothing happens to answer, by second."""
    one, scanners = stateful()
    answers = {second: one.scan(at(second), []) for second in range(1, 10)}
    return answers, one.problems, one.scans, scanners


def test_the_same_question_has_the_same_answer_and_is_not_put_to_the_scanners_again() -> None:
    one, scanners = stateful()
    first = {second: one.scan(at(second), []) for second in range(1, 10)}

    again = {second: one.scan(at(second), []) for second in (8, 2, 3, 9, 2)}

    assert again == {second: first[second] for second in again}
    assert one.scans == sum(len(scanner.seen) for scanner in scanners) == 7
    assert [scanner.seen for scanner in scanners] == [scanner.seen for scanner in undisturbed()[3]]


@examples(30)
@given(st.integers(1, 9), st.lists(st.integers(1, 9), max_size=6))
def test_a_successor_stands_where_the_dead_one_stood(asked_first: int, asked_before: list[int]) -> None:
    answers, problems, scans, dead = undisturbed()

    successor, scanners = stateful()
    for second in [asked_first, *asked_before, *range(asked_first, 10)]:
        assert successor.scan(at(second), []) == answers[second]

    assert successor.problems == problems
    assert successor.scans == scans
    assert [scanner.seen for scanner in scanners] == [scanner.seen for scanner in dead]


@examples(30)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.sets(st.sampled_from("ABC"))), max_size=12),
    st.lists(st.tuples(st.integers(1, 9), st.sets(st.sampled_from("ABC"))), max_size=6),
)
def test_minutes_are_those_of_the_mark_whatever_was_asked_before(
    questions: list[tuple[int, set[str]]], histories: list[tuple[int, set[str]]]
) -> None:
    one = scanning(a_scanner(lambda market: ["C", "A", "B"], every_s=1))

    for second, subscribed in questions:
        (answer,) = one.scan(at(second), sorted(subscribed))
        assert answer.bars == view().bars(sorted({*"ABC"} - subscribed), at(second + 1))
    for second, symbols in histories:
        assert one.history(sorted(symbols), at(second)) == view().bars(sorted(symbols), at(second))


def test_minutes_of_the_past_need_one_pass_for_rising_marks_and_the_other_view_is_let_go() -> None:
    made: list[MarketView] = []

    def afresh() -> MarketView:
        made.append(view())
        return made[-1]

    one = ScannerRunner(view(), [a_scanner(lambda market: ["A", "B"], every_s=1)], START_NS, afresh)
    for second in range(1, 8):
        one.scan(at(second), ["A", "B"])

    for second in range(1, 7):
        one.scan(at(second), ["B"])
        one.scan(at(second), ["B"])
    passes = len(made)
    one.scan(at(8), [])
    one.history(["C"], at(1))

    assert (passes, len(made)) == (1, 2)


def test_a_history_asked_of_a_successor_does_not_hide_the_market_of_earlier_marks() -> None:
    answers = undisturbed()[0]
    successor, _ = stateful()

    bars = successor.history(["A"], at(6))

    assert bars == view().bars(["A"], at(6))
    assert [successor.scan(at(second), []) for second in (2, 8)] == [answers[2], answers[8]]


def test_no_more_than_so_many_marks_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desk.scanning.runner.MAX_ANSWERED", 40)
    one = scanning(a_scanner(lambda market: ["A"], every_s=1))
    for second in range(1, 42):
        one.scan(at(second), [])

    assert one.scan(at(2), [])[0].bars == view().bars(["A"], at(3))
    assert len(one._minutes) == MAX_WITH_MINUTES
    with pytest.raises(RunFailed, match="no longer kept"):
        one.scan(at(1), [])


def test_an_answer_that_its_reader_changes_is_still_the_same_when_asked_for_again() -> None:
    door = LocalScanners(scanning(a_scanner(lambda market: ["A"])))
    door.ask(at(2), [])
    (answer,) = door.answers()
    symbols, bars = list(answer.symbols), dict(answer.bars)

    answer.symbols.clear()
    answer.bars.clear()
    door.ask(at(2), [])
    (again,) = door.answers()

    assert (again.symbols, again.bars) == (symbols, bars)


SNAPSHOT_ARRAYS = ("price", "open", "high", "low", "volume", "trades", "minute_volume", "minute_close")
ATTEMPTS: dict[str, Callable[[Any], object]] = {
    "item": lambda array: array.__setitem__(0, 0),
    "slice": lambda array: array.__setitem__(slice(None), 0),
    "in place": lambda array: array.__iadd__(1),
    "out": lambda array: np.multiply(array, 2, out=array),
    "sort": lambda array: array.sort(),
    "flags": lambda array: setattr(array.flags, "writeable", True),
    "setflags": lambda array: array.setflags(write=True),
    "base": lambda array: array.base.setflags(write=True),
}


@pytest.mark.parametrize("name", SNAPSHOT_ARRAYS)
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_scanner_that_writes_to_its_snapshot_is_named_and_the_next_sees_the_market(name: str, attempt: str) -> None:
    seen: list[Any] = []

    def look(market: MarketSnapshot) -> list[str]:
        seen.append([getattr(market, each).tolist() for each in SNAPSHOT_ARRAYS])
        return []

    def write(market: MarketSnapshot) -> list[str]:
        ATTEMPTS[attempt](getattr(market, name))
        return []

    meddled = scanning(a_scanner(look, "before"), a_scanner(write, "writer"), a_scanner(look, "after"))

    meddled.scan(at(2), [])

    assert [problem.split(":")[0] for problem in meddled.problems] == ["scanner writer failed"]
    assert repr(seen[0]) == repr(seen[1])


@pytest.mark.parametrize("name", [*SNAPSHOT_ARRAYS, "now_ns", "symbols"])
def test_nothing_can_be_assigned_to_a_snapshot(name: str) -> None:
    meddled = scanning(a_scanner(lambda market: setattr(market, name, None)))

    meddled.scan(at(2), [])

    assert "immutable" in meddled.problems[0]


def test_a_snapshot_array_of_another_shape_belongs_to_no_other() -> None:
    shapes: list[Any] = []

    def reshape(market: MarketSnapshot) -> list[str]:
        shapes.append(market.price.shape)
        market.price.shape = (len(market.price), 1)  # type: ignore[assignment]
        return []

    scanning(a_scanner(reshape, "one"), a_scanner(reshape, "two")).scan(at(2), [])

    assert shapes == [(3,), (3,)]
