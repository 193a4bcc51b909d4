"""Bars of whole sessions against the oracle: late trades, losses, subscriptions and crashes in any order."""

from random import Random

import msgspec
from examples import examples
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from naive_bars import minutes_of, naive_bar

from desk.bars.builder import BarBuilder
from desk.model.bars import Bar, BarFlag, WorkingBar
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS, SECOND_NS, floor_to

REVISE_NS = 3 * MINUTE_NS
codes = st.sampled_from(("", "@", "FT", "I", "Z", "M"))
prices = st.integers(1, 400).map(lambda quarters: quarters / 4)
sizes = st.integers(1, 300).map(float)
late_ns = st.sampled_from((-SECOND_NS, 0, 0, 0, 1, SECOND_NS, 20 * SECOND_NS, MINUTE_NS, 2 * MINUTE_NS, 4 * MINUTE_NS))


class SessionMachine(RuleBasedStateMachine):
    """`market` is every trade there was, `applied` those that the bars are made of, `flags` what each bar is.

    `at_hand` are the minutes that are not forgotten, or came back with a history.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 20 * MINUTE_NS
        self.closed_to_ns = self.revisable_from_ns = 0
        self.watched = False
        self.since_ns = self.repaired_to_ns = self.forgotten_ns = 0
        self.market: list[Trade] = []
        self.applied: list[Trade] = []
        self.flags: dict[int, BarFlag] = {}
        self.lost: set[int] = set()
        self.at_hand: set[int] = set()
        self.kept: dict[int, Bar] = {}
        self.builder = BarBuilder("SPY", 0)
        self.pass_time(0)

    @initialize(
        before=st.lists(st.tuples(late_ns, prices, sizes, codes), max_size=6),
        warm=st.booleans(),
        second=st.integers(0, 70),
    )
    def first_watch(self, before: list[tuple[int, float, float, str]], warm: bool, second: int) -> None:
        for one in before:
            self.trade(*one)
        self.pass_time(second * SECOND_NS)
        self.builder = BarBuilder("SPY", self.now_ns)
        self.watch(warm)

    @rule(late_ns=late_ns, price=prices, size=sizes, code=codes)
    def trade(self, late_ns: int, price: float, size: float, code: str) -> None:
        ts_ns = self.now_ns - late_ns
        one = Trade(len(self.market), "SPY", ts_ns, self.now_ns, price, size, code)
        self.market.append(one)
        if self.watched and ts_ns >= self.revisable_from_ns:
            self.applied.append(one)
            for minute_ns in minutes_of([one]):
                self.flags.setdefault(minute_ns, self.flag_of_new(minute_ns))
                self.at_hand.add(minute_ns)
            self.builder.add(one, self.closed_to_ns)

    def flag_of_new(self, minute_ns: int) -> BarFlag:
        if minute_ns not in self.lost and minute_ns >= self.since_ns:
            return "complete"
        return "repaired" if minute_ns not in self.lost and minute_ns < self.repaired_to_ns else "partial"

    @precondition(lambda self: self.watched)
    @rule(late_ns=late_ns, price=prices)
    def lose(self, late_ns: int, price: float) -> None:
        self.market.append(Trade(len(self.market), "SPY", self.now_ns - late_ns, self.now_ns, price, 1.0))
        minute_ns = floor_to(self.now_ns - late_ns, MINUTE_NS)
        self.builder.spoil(minute_ns, self.closed_to_ns)
        self.lost.add(minute_ns)
        if minute_ns in self.at_hand:
            self.flags[minute_ns] = "partial"

    @rule(step_ns=st.sampled_from((SECOND_NS, 30 * SECOND_NS, MINUTE_NS, 3 * MINUTE_NS)))
    def pass_time(self, step_ns: int) -> None:
        self.now_ns += step_ns
        closed_to_ns = floor_to(self.now_ns - SECOND_NS, MINUTE_NS)
        for minute_ns in self.builder.open_minutes(self.closed_to_ns):
            if minute_ns < closed_to_ns:
                closed = self.builder.close(minute_ns)
                assert repr(closed) == repr(self.expected(minute_ns) if self.expected(minute_ns).priced else None)
        self.closed_to_ns = closed_to_ns
        self.revisable_from_ns = floor_to(self.now_ns - REVISE_NS, MINUTE_NS)
        self.forgotten_ns = max(self.forgotten_ns, min(self.revisable_from_ns, closed_to_ns))
        self.lost = {minute_ns for minute_ns in self.lost if minute_ns >= self.forgotten_ns}
        self.at_hand = {minute_ns for minute_ns in self.at_hand if minute_ns >= self.forgotten_ns}
        self.builder.forget(self.forgotten_ns, self.now_ns)

    @precondition(lambda self: self.watched)
    @rule()
    def unwatch(self) -> None:
        self.watched = False
        for minute_ns in self.builder.open_minutes(self.closed_to_ns):
            self.builder.spoil(minute_ns, self.closed_to_ns)
            self.lost.add(minute_ns)
            self.flags[minute_ns] = "partial"

    @precondition(lambda self: not self.watched)
    @rule(warm=st.booleans())
    def watch(self, warm: bool) -> None:
        self.watched = True
        self.builder.since_ns = self.since_ns = self.now_ns
        if warm:
            history = [naive_bar(self.market, minute_ns) for minute_ns in minutes_of(self.market)]
            self.expect_history(history)
            self.builder.warm(history, self.closed_to_ns)

    def expect_history(self, history: list[Bar]) -> None:
        for bar in history:
            same = repr(bar) == repr(naive_bar(self.applied, bar.minute_ns))
            whole = self.flags.get(bar.minute_ns) == "complete" if bar.minute_ns in self.at_hand else bar.priced
            if not (same and whole):
                self.flags[bar.minute_ns] = "repaired"
                self.at_hand.add(bar.minute_ns)
        self.applied = list(self.market)
        self.lost = set()
        self.repaired_to_ns = self.now_ns

    @rule(random=st.randoms(use_true_random=False))
    def crash(self, random: Random) -> None:
        self.keep()
        state = msgspec.msgpack.encode(self.builder.state())
        since_ns, repaired_to_ns, minutes, lost = msgspec.msgpack.decode(
            state, type=tuple[int, int, list[WorkingBar], list[int]]
        )
        closed = list(self.kept.values())
        random.shuffle(closed)
        self.builder = BarBuilder("SPY", since_ns)
        self.builder.restore(repaired_to_ns, minutes, lost, closed)

    def keep(self) -> None:
        for bar in self.builder.changed.values():
            self.kept[bar.minute_ns] = msgspec.msgpack.decode(msgspec.msgpack.encode(bar), type=Bar)
        self.builder.changed = {}

    def expected(self, minute_ns: int) -> Bar:
        return naive_bar(self.applied, minute_ns, self.flags.get(minute_ns, "complete"))

    @invariant()
    def what_is_kept_and_seen_is_what_the_oracle_says(self) -> None:
        self.keep()
        closed = [minute_ns for minute_ns in sorted(self.flags) if minute_ns < self.closed_to_ns]
        bars = [bar for bar in map(self.expected, closed) if bar.priced]
        assert [self.kept[minute_ns] for minute_ns in sorted(self.kept) if self.kept[minute_ns].priced] == bars
        series = self.builder.series
        rows = zip(series.minute_ns, series.open, series.high, series.low, series.close, series.volume, strict=True)
        assert list(rows) == [(bar.minute_ns, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars]
        assert series.vwap.tolist() == [bar.vwap for bar in bars]
        assert series.trades.tolist() == [bar.trades for bar in bars]


SessionMachine.TestCase.settings = examples(150, stateful_step_count=40)
test_kept_and_seen_bars_equal_the_oracle_whatever_happens = SessionMachine.TestCase
