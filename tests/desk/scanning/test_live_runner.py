from collections.abc import Callable, Sequence

import pytest
from pipeline_parts import NO_PARAMS, START_NS, at

from desk.model.live_symbol import LiveSymbol
from desk.model.units import DAY_NS
from desk.ports import MarketUnavailable
from desk.scanner import MarketSnapshot, Scanner
from desk.scanning.live_runner import MAX_WARNINGS, LiveScannerRunner
from desk.scanning.live_view import LiveMarketView
from desk.scanning.scanner_calls import ScannerCalls, ScannerEntry


class Market:
    """A market that a test writes; an empty one cannot be read."""

    def __init__(self, *symbols: str) -> None:
        self.place = "venue"
        self.symbols = list(symbols)
        self.notes: list[str] = []
        self.subscribed: list[list[str]] = []

    def read(self, subscribed: Sequence[str]) -> list[LiveSymbol]:
        self.subscribed.append(list(subscribed))
        if not self.symbols:
            raise MarketUnavailable("venue: HTTP 500")
        return [LiveSymbol(symbol, price=10.0, price_ns=START_NS) for symbol in self.symbols]

    def take_notes(self) -> list[str]:
        notes, self.notes = self.notes, []
        return notes


class Picking(Scanner):
    """Picks by a function."""

    def __init__(self, pick: Callable[[MarketSnapshot], list[str]]) -> None:
        super().__init__(NO_PARAMS)
        self.scan = pick  # type: ignore[method-assign]


def everything(market: MarketSnapshot) -> list[str]:
    return list(market.symbols)


def scanning(market: Market, *entries: ScannerEntry) -> LiveScannerRunner:
    found = entries or (ScannerEntry("S", Picking(everything), 2, 10),)
    return LiveScannerRunner(market, LiveMarketView(START_NS, START_NS - DAY_NS // 2), ScannerCalls(found, START_NS))


def test_the_market_is_read_only_when_a_scanner_is_due() -> None:
    market = Market("A", "B")
    one = scanning(market)

    answers = [one.scan(at(second), ["SPY"]) for second in range(5)]

    assert [[answer.symbols for answer in of_mark] for of_mark in answers] == [[], [], [["A", "B"]], [], [["A", "B"]]]
    assert market.subscribed == [["SPY"]] * 2
    assert one.scans == 2


def test_new_symbols_bring_no_minutes_so_that_nothing_takes_them_for_complete() -> None:
    (answer,) = scanning(Market("A")).scan(at(2), [])

    assert (answer.bars, answer.remembered) == ({}, {})


def test_while_the_market_cannot_be_read_the_last_symbols_stay_and_the_fault_is_reported_once() -> None:
    market = Market("A")
    one = scanning(market)
    one.scan(at(2), [])
    market.symbols = []

    failed = [one.scan(at(second), [])[0] for second in (4, 6)]

    assert [answer.symbols for answer in failed] == [["A"], ["A"]]
    assert [bool(answer.problem) for answer in failed] == [True, False]
    assert "could not be scanned since" in one.fault
    assert one.fault.endswith("scanners keep their last symbols: venue: HTTP 500")
    assert (one.warnings, one.problems, one.scans) == ([], [], 1)


def test_a_market_that_can_be_read_again_leaves_a_warning() -> None:
    market = Market()
    one = scanning(market)
    one.scan(at(2), [])
    one.scan(at(4), [])
    market.symbols = ["B"]

    (answer,) = one.scan(at(6), [])

    assert answer.symbols == ["B"]
    assert "(2 scans failed): venue: HTTP 500" in answer.problem
    assert (one.fault, one.warnings) == ("", [answer.problem])


def test_remarks_of_the_market_are_warnings_each_once_and_not_for_ever() -> None:
    market = Market("A")
    one = scanning(market)

    for second in range(2, 100, 2):
        market.notes = ["left out", f"number {second}"]
        one.scan(at(second), [])

    assert one.warnings[0] == "left out"
    assert len(one.warnings) == MAX_WARNINGS


def test_a_scanner_that_raises_or_is_stopped_is_treated_as_in_a_replay() -> None:
    def fail(market: MarketSnapshot) -> list[str]:
        raise LookupError("broken")

    stopped = ScannerEntry("STOPPED", None, 2, 10, stopped="it hung")
    one = scanning(Market("A"), ScannerEntry("S", Picking(fail), 2, 10), stopped)

    broken, ended = one.scan(at(2), [])

    assert broken.problem.startswith("scanner S failed: LookupError: broken")
    assert (ended.stopped, ended.symbols) == (True, [])
    assert len(one.problems) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_what_was_read_is_used_once(fails: bool) -> None:
    one = scanning(Market(*([] if fails else ["A"])))
    one.read([])
    one.run(at(2))

    one.run(at(4))

    assert one.fault
