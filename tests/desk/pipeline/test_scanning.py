from collections.abc import Callable
from typing import Any

import pytest
from pipeline_parts import NO_PARAMS, START_NS, Desk, Row, Rows, Wanting, at, marks_of, ticks_of

from desk import strategy
from desk.engine import StrategyEntry
from desk.feeds.synthetic import SyntheticConfig, SyntheticMarket
from desk.market.view import MarketView
from desk.model.bars import Bar
from desk.model.items import Unwatch, Watch
from desk.pipeline.scanning import MAX_PROBLEMS, ScannerEntry, Scanning
from desk.scanner import MarketSnapshot, Scanner

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


def scanning(*entries: ScannerEntry) -> Scanning:
    return Scanning(MarketView(Rows(TAPE)), entries, START_NS)


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
    one = Scanning(MarketView(Rows(TAPE, ["D"])), [a_scanner(lambda market: ["A", "D"])], START_NS)

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


def test_a_scanner_that_raises_keeps_its_last_wish_and_is_told_once() -> None:
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
    assert problem.startswith("scanner S failed: Traceback")
    assert problem.endswith("SystemExit: broken")


@pytest.mark.parametrize(
    ("answer", "cause"), [(["NOPE"], "NOPE"), (None, "TypeError"), (["A", 7], "market does not have: 7")]
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


def watches(desk: Desk, symbol: str) -> list[tuple[int, str, Any]]:
    """(mark before it, Watch or Unwatch, its scanners) for the symbol, in its lane's order."""
    found: list[tuple[int, str, Any]] = []
    mark_ns = START_NS
    for item in desk.wire.items(desk.intake.lane_of(symbol).shard):
        if marks_of([item]):
            (mark_ns,) = marks_of([item])
        if isinstance(item, Watch | Unwatch) and item.symbol == symbol:
            second = (mark_ns - START_NS) // 1_000_000_000
            found.append((second, type(item).__name__, getattr(item, "scanners", None)))
    return found


@pytest.mark.parametrize("lockstep", [True, False])
def test_a_scan_takes_effect_at_the_next_mark(lockstep: bool) -> None:
    wanting = Wanting({0: [], 4: ["B"], 6: ["A", "B"], 8: []})
    desk = Desk(
        Rows(TAPE), ("A",), scanners=[ScannerEntry("S", wanting, 2, 9)], lockstep=lockstep, max_batch_bytes=200
    ).play()

    assert watches(desk, "B") == [(5, "Watch", ["S"]), (9, "Unwatch", None)]
    assert watches(desk, "A") == [(0, "Watch", [""]), (7, "Watch", ["", "S"]), (9, "Watch", [""])]
    ticks = [tick for tick in ticks_of(desk.wire.items(desk.intake.lane_of("B").shard)) if tick.symbol == "B"]
    assert [tick.ordinal for tick in ticks] == [number for number in range(50, 90) if number % 3 == 1]
    watched = {
        symbol for shard in desk.consumers.values() for symbol, one in shard.engine.symbols.items() if one.watched
    }
    assert watched == {"A"}
    assert desk.balance() == {"trades": 0, "quotes": 0}


def test_a_symbol_that_is_held_stays_until_it_is_sold() -> None:
    class Holder(strategy.Strategy):
        def on_second(self, ctx: strategy.Context) -> None:
            second = (ctx.now_ns - START_NS) // 1_000_000_000
            if second == 4:
                ctx.buy(1)
            if second == 6:
                ctx.close()

    wanting = Wanting({0: ["B"], 4: []})
    entry = StrategyEntry("s", lambda: Holder(NO_PARAMS), scanner="S")

    desk = Desk(Rows(TAPE), (), [entry], [ScannerEntry("S", wanting, 2, 9)]).play()

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
    wanting = Wanting({-20: [], found_at: market.symbols})
    scanner = ScannerEntry("S", wanting, second, 99)
    seen: dict[bool, dict[tuple[str, int], list[float]]] = {True: {}, False: {}}

    def look(found: bool) -> StrategyEntry:
        class Looking(strategy.Strategy):
            def on_second(self, ctx: strategy.Context) -> None:
                assert ctx.warm
                seen[found][ctx.symbol, ctx.now_ns] = ctx.bars.close.tolist()

        return StrategyEntry("s", lambda: Looking(NO_PARAMS))

    found = Desk(market, market.symbols[:1], [look(True)], [scanner], start_ns=start_ns, shards=3).play()
    always = Desk(market, market.symbols, [look(False)], start_ns=start_ns, shards=3).play()

    assert [content(bar) for bar in found.store.bars.values() if bar.priced] != []
    assert bars_of(found) == bars_of(always)
    assert seen[True].items() <= seen[False].items()
    assert {symbol for symbol, _ in seen[True]} == set(market.symbols)
    flags = {bar.flags for (symbol, _), bar in found.store.bars.items() if symbol != market.symbols[0]}
    assert flags == {"repaired", "complete", "partial"}


def bars_of(desk: Desk) -> dict[tuple[str, int], tuple[Any, ...]]:
    return {key: content(bar) for key, bar in sorted(desk.store.bars.items()) if bar.priced}


@pytest.mark.parametrize("answer", [None, "AAA", {"A": 1}, iter(["A"])])
def test_an_answer_that_is_no_list_is_named_as_what_it_is(answer: Any) -> None:
    one = scanning(a_scanner(lambda market: answer))

    one.scan(at(2), [])

    assert f"scan returned {type(answer).__name__}; expected a list of symbols" in one.problems[0]
