"""The producer with real lanes, shards and engines over direct links: the promises about every tick."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_parts import (
    NO_PARAMS,
    START_NS,
    DelayedAckLinks,
    MemoryDesk,
    RecordingLinks,
    Row,
    Rows,
    a_notice,
    at,
    marks_of,
)

from desk import strategy
from desk.consumer.engine import StrategyEntry
from desk.model.batch import Ack, News
from desk.model.errors import RunFailed
from desk.model.items import Close, GapItem, Mark, Watch
from desk.model.ticks import Quote, Tick, Trade
from desk.model.units import MINUTE_NS
from desk.ports import Wait
from desk.strategy import Context
from desk.trading.risk_limits import RiskLimits

SYMBOLS = ("A", "B", "C", "D")


class FoundGap(NamedTuple):
    """What a feed tells of a gap."""

    from_ns: int
    to_ns: int
    why: str


rows = st.lists(
    st.builds(
        Row,
        at_s=st.integers(0, 150_000).map(lambda ms: ms / 1000),
        symbol=st.sampled_from(SYMBOLS),
        kind=st.sampled_from(["trade", "trade", "quote", "quote", "other"]),
        price=st.sampled_from([0.0, 9.5, 10.0, 10.5]),
        late_s=st.sampled_from([0.0, 0.0, 0.0, 5.0, 100.0]),
    ),
    min_size=1,
    max_size=80,
)
flows = st.fixed_dictionaries(
    {
        "shards": st.integers(1, 4),
        "capacity": st.sampled_from([1, 2, 5, 1000]),
        "window": st.integers(1, 3),
        "linger_ms": st.sampled_from([0.0, 1.0]),
        "max_batch_bytes": st.sampled_from([150, 90 * 1024]),
        "lockstep": st.booleans(),
    }
)


class Acting(strategy.Strategy):
    """Does at every second what a test tells it to."""

    act: Callable[[Context], Any] = staticmethod(lambda ctx: None)

    def on_second(self, ctx: Context) -> None:
        self.act(ctx)


def acting(name: str, act: Callable[[Context], Any], **more: Any) -> StrategyEntry:
    def create() -> Acting:
        made = Acting(NO_PARAMS)
        made.act = act
        return made

    return StrategyEntry(name, create, **more)


def second(ctx: Context) -> int:
    return (ctx.now_ns - START_NS) // 1_000_000_000


@given(rows, st.sets(st.sampled_from(SYMBOLS), min_size=1) | st.just({"*"}), flows, st.integers(1, 30))
def test_every_tick_of_a_lossless_feed_is_applied_or_rejected_under_a_cause(
    tape: list[Row], always: set[str], flow: dict[str, Any], rows_per_block: int
) -> None:
    desk = MemoryDesk(Rows(tape, SYMBOLS, rows_per_block), sorted(always), **flow).play()

    counts = desk.feed.counts
    assert desk.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    assert sum(counts.received.values()) + sum(counts.skipped.values()) == len(tape)
    assert sum(desk.applied.values()) == sum(
        (row.symbol in always or "*" in always) and row.kind != "other" and row.price > 0
        for row in tape
        if in_session(row, tape)
    )


def in_session(row: Row, tape: list[Row]) -> bool:
    return row.at_s >= min(each.at_s for each in tape)


@given(rows, flows)
def test_every_lane_has_every_mark_and_each_symbols_ticks_in_order(tape: list[Row], flow: dict[str, Any]) -> None:
    desk = MemoryDesk(Rows(tape, SYMBOLS), SYMBOLS, **flow).play()

    desk.check_lanes(SYMBOLS)
    for shard in desk.consumers:
        items = desk.wire.items(shard)
        assert marks_of(items)[-1] >= at(max(row.at_s for row in tape))
        assert isinstance(items[-1], Close) or desk.manager.summary().submitted
        reached_ns = 0
        for item in items:
            if isinstance(item, Mark):
                reached_ns = item.session_ns
            elif isinstance(item, Tick):
                row = desk.source.rows[item.ordinal]  # type: ignore[attr-defined]  # it is Rows
                assert reached_ns <= at(row.at_s) < reached_ns + 1_000_000_000 or not reached_ns


@given(rows, flows, st.sampled_from([1.0, 50.0]))
def test_a_feed_that_cannot_wait_balances_whatever_its_lanes_drop(
    tape: list[Row], flow: dict[str, Any], speed: float
) -> None:
    desk = MemoryDesk(Rows(tape, SYMBOLS), SYMBOLS, speed=speed, **(flow | {"lockstep": False})).play()

    assert desk.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    desk.check_lanes(SYMBOLS)


def test_a_feed_that_cannot_wait_continues_when_acks_come_late() -> None:
    tape = [Row(number / 100, "AB"[number % 2]) for number in range(600)]

    desk = MemoryDesk(
        Rows(tape), ("A", "B"), speed=1.0, lockstep=False, capacity=50, window=1, links=DelayedAckLinks
    ).play()

    assert desk.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    assert desk.applied["trades"] == 600


def test_a_lossless_feed_waits_for_acks_that_come_late() -> None:
    tape = [Row(number / 100, "AB"[number % 2]) for number in range(600)]

    desk = MemoryDesk(Rows(tape), ("A", "B"), lockstep=False, capacity=7, window=1, links=DelayedAckLinks).play()

    assert desk.applied["trades"] == 600


@given(stop_at=st.integers(1, 20), lockstep=st.booleans(), speed=st.sampled_from([None, 20.0]))
def test_a_stop_in_mid_way_drains_and_balances(stop_at: int, lockstep: bool, speed: float | None) -> None:
    tape = [Row(number * 0.13, "ABC"[number % 3], ("trade", "quote")[number % 2]) for number in range(160)]
    desk = MemoryDesk(Rows(tape), ("A", "B"), speed=speed, lockstep=lockstep and speed is None)
    frames = count(1)

    desk.play(lambda: desk.loop.stop() if next(frames) == stop_at else None)

    assert desk.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    assert all(shard.engine.closed for shard in desk.consumers.values())
    assert next(frames) == stop_at + 1
    assert {checkpoint.shard for checkpoint in desk.store.checkpoints if checkpoint.final} == set(desk.consumers)


def test_the_plans_symbols_get_the_minutes_before_a_later_start() -> None:
    tape = [Row(5, price=8.0), Row(70, price=9.0), Row(130, price=10.0), Row(200, price=11.0)]
    seen: list[tuple[int, bool, list[float]]] = []
    look = acting("look", lambda ctx: seen.append((second(ctx), ctx.warm, ctx.bars.close.tolist())))

    desk = MemoryDesk(Rows(tape), ("A",), [look], start_ns=at(120)).play()

    assert seen[0] == (121, True, [8.0, 9.0])
    assert seen[-1] == (201, True, [8.0, 9.0, 10.0])
    flags = {bar.minute_ns // MINUTE_NS - START_NS // MINUTE_NS: bar.flags for bar in desk.store.rows.values()}
    assert flags == {0: "repaired", 1: "repaired", 2: "complete", 3: "partial"}


def test_an_intent_is_decided_at_its_mark_and_filled_by_the_ticks_after_it() -> None:
    filled: list[tuple[int, float]] = []

    def act(ctx: Context) -> None:
        if second(ctx) == 2:
            ctx.buy(3)
        filled.append((second(ctx), ctx.position.quantity))

    tape = [Row(number / 2 + 0.1, price=10.0 + number) for number in range(12)]

    desk = MemoryDesk(Rows(tape), ("A",), [acting("s", act)]).play()

    # The buy of mark 2 cannot have the trade at 1.6 s; it gets the next one, at 2.1 s, and hears of it at mark 3.
    assert filled[:4] == [(1, 0.0), (2, 0.0), (3, 0.0), (4, 3.0)]
    (position,) = desk.manager.positions().values()
    assert (position.quantity, position.average_price) == (3.0, 14.0)
    assert [decision.intent.decision_ns for decision in desk.book.decisions()] == [at(2)]


def test_without_lockstep_requests_go_straight_to_the_broker() -> None:
    tape = [Row(number / 2 + 0.1) for number in range(12)]
    buyer = acting("s", lambda ctx: ctx.buy(1) if second(ctx) == 2 else None)

    desk = MemoryDesk(Rows(tape), ("A",), [buyer], lockstep=False, speed=5.0).play()

    assert [decision.outcome for decision in desk.book.decisions()] == ["accepted"]
    assert sum(position.quantity for position in desk.manager.positions().values()) == 1.0
    assert all(not batch.want_reply for batches in desk.wire.batches.values() for batch in batches)


def two_symbols_on_two_shards() -> tuple[str, str]:
    desk = MemoryDesk(Rows([Row(0)]), ("A",), shards=2)
    table = desk.loop.moves.table
    other = next(name for name in "BCDEFG" if table.shard_of(name) != table.shard_of("A"))
    return "A", other


@pytest.mark.parametrize("shards", [1, 2])
def test_risk_knows_what_one_shard_has_lost_when_only_another_asks(shards: int) -> None:
    holder, asker = two_symbols_on_two_shards()
    tape = [
        Row(number / 4, name, price=100.0 if number < 20 else 10.0) for number in range(40) for name in (holder, asker)
    ]

    def act(ctx: Context) -> None:
        if (ctx.symbol, second(ctx)) in {(holder, 1), (asker, 8)}:
            ctx.buy(10)

    desk = MemoryDesk(
        Rows(tape), (holder, asker), [acting("s", act)], shards=shards, limits=RiskLimits(max_daily_loss=500)
    )
    desk.play()

    assert [decision.outcome for decision in desk.book.decisions()] == [
        "accepted",
        "refused: max_daily_loss: 900.00 >= 500.00",
    ]


@pytest.mark.parametrize("lockstep", [True, False])
def test_what_is_held_at_the_end_is_worth_its_last_price(lockstep: bool) -> None:
    tape = [Row(number / 4, price=10.0 if number < 20 else 12.0) for number in range(40)]
    buyer = acting("s", lambda ctx: ctx.buy(5) if second(ctx) == 1 else None)

    desk = MemoryDesk(Rows(tape), ("A",), [buyer], lockstep=lockstep).play()

    assert desk.manager.summary().unrealized == pytest.approx(10.0)


def test_orders_still_open_end_with_the_session() -> None:
    def act(ctx: Context) -> None:
        if second(ctx) == 1:
            ctx.buy(5, limit=1.0)
            ctx.buy(5, limit=2.0, tif="gtc")

    desk = MemoryDesk(Rows([Row(number / 2) for number in range(10)]), ("A",), [acting("s", act)]).play()

    summary = desk.manager.summary()
    assert (summary.submitted, summary.canceled) == (2, 2)
    assert all(not instance.orders for instance in instances(desk))


def instances(desk: MemoryDesk) -> list[Any]:
    return [
        instance
        for shard in desk.consumers.values()
        for state in shard.engine.symbols.values()
        for instance in state.instances
    ]


def test_a_producer_that_a_shard_refuses_ends_its_run() -> None:
    desk = MemoryDesk(Rows([Row(0), Row(5)]), ("A",))
    for shard in desk.consumers.values():
        shard._source_epoch = 2

    with pytest.raises(RunFailed, match="refused batch 1: it has a newer producer"):
        desk.play()


def test_a_mark_tells_the_age_of_the_data() -> None:
    ages: list[tuple[int, int, bool]] = []
    tape = [Row(0.5, late_s=0.25), Row(1.5, late_s=12.0), Row(2.5, late_s=0.0)]
    look = acting("look", lambda ctx: ages.append((second(ctx), ctx.age_ns, ctx.degraded)))

    MemoryDesk(Rows(tape), ("A",), [look]).play()

    assert ages == [(1, 250_000_000, False), (2, 12_000_000_000, True), (3, 0, False)]


def test_the_live_figures_tell_progress_and_lanes() -> None:
    desk = MemoryDesk(Rows([Row(0), Row(5), Row(10)]), ("A",), capacity=5)
    shown: list[Any] = []

    desk.play(lambda: shown.append(desk.loop.stats()))

    assert [round(stats.progress, 2) for stats in shown[:2]] == [0.09, 0.18]
    assert shown[-1].progress == 1.0
    assert shown[-1].received == {"trades": 3, "quotes": 0, "notices": 0}
    assert [lane.capacity for lane in shown[-1].lanes] == [5, 5]


def test_watches_of_the_plan_come_before_everything_else() -> None:
    desk = MemoryDesk(Rows([Row(0), Row(5)], SYMBOLS), SYMBOLS, shards=1).play()

    watches = desk.wire.items(0)[: len(SYMBOLS)]

    assert [(item.symbol, item.scanners) for item in watches if isinstance(item, Watch)] == [
        (symbol, [""]) for symbol in SYMBOLS
    ]


def test_an_ack_of_nothing_is_no_ack() -> None:
    class Babbling(RecordingLinks):
        def wait(self, wait: Wait, descriptors: Sequence[int] = ()) -> list[News]:
            babble = [Ack(0, 1, 99, 0, 0)] if self.batches[0] else []
            return [*babble, *super().wait(wait, descriptors)]

    desk = MemoryDesk(Rows([Row(0), Row(5)]), ("A",), links=Babbling).play()

    assert desk.applied["trades"] == 2


def test_a_gap_comes_before_the_ticks_that_ended_it() -> None:
    desk = MemoryDesk(Rows([Row(1, "A"), Row(2, "A", "quote")]), ["A"], shards=1)
    gaps = [FoundGap(at(0), at(1), "away")]

    def take_gaps() -> list[FoundGap]:
        taken, gaps[:] = list(gaps), []
        return taken

    desk.feed.take_gaps = take_gaps  # type: ignore[method-assign, assignment]
    desk.play()

    kinds = [type(item) for item in desk.wire.items(0)]
    assert kinds.index(GapItem) < min(kinds.index(Trade), kinds.index(Quote))


def test_a_symbol_of_which_only_notices_came_has_sent_no_tick() -> None:
    desk = MemoryDesk(Rows([Row(0), Row(1)]), ["*"], speed=1.0).play()
    status, trade = a_notice("halt", "C", at(2)), Trade(9, "C", at(2), 0, 10.0, 1.0)

    met = [desk.loop.parts.router.offer([event], [], at(2), 0) for event in (status, status, trade, trade)]

    assert met == [[], [], ["C"], []]
