"""Whoever dies, whenever: what the desk ends up with is what it would have had if nobody had disturbed it."""

from dataclasses import replace
from typing import Any

from crashing_desk import EVERYTHING, PRODUCER, SHARD, Death, Delays, World
from hypothesis import given
from hypothesis import strategies as st
from random_days import (
    ENTRIES,
    Taped,
    Trouble,
    a_live_desk,
    deaths,
    delays,
    ended,
    examples,
    live_flows,
    live_ticks,
    paced,
    played,
    shown_once_and_in_order,
    taped,
    the_same,
    trouble,
)

from desk.consumer.engine.instance import Instance


@examples(40)
@given(taped, trouble)
def test_in_lockstep_nothing_depends_on_who_dies_or_moves(
    day: Taped,
    disturbed: Trouble,
) -> None:
    desk = day.desk()

    lived, died = played(desk), played(desk, *disturbed)

    the_same(lived, died)


@examples(60)
@given(taped, trouble)
def test_without_lockstep_a_lossless_feed_makes_the_same_bars_whoever_dies_or_moves(
    day: Taped,
    disturbed: Trouble,
) -> None:
    desk = day.desk(strategies=(), lockstep=False)

    lived, died = played(desk), played(desk, *disturbed)

    the_same(lived, died)


@examples(60)
@given(live_ticks, live_flows, deaths, delays)
def test_a_live_feed_balances_whichever_consumers_die(
    ticks: list[tuple[int, str, bool]], flow: dict[str, Any], dying: list[Death], delay: Delays
) -> None:
    consumers = [death._replace(who=SHARD + death.who) for death in dying]

    died = played(a_live_desk(ticks, flow), consumers, (), delay)

    assert died.balance() == {"trades": 0, "quotes": 0}
    assert sum(died.feed.counts.received.values()) == len(ticks)
    shown_once_and_in_order(died)


@examples(60)
@given(live_ticks, live_flows, deaths, delays)
def test_a_live_feed_balances_by_the_shards_own_totals_when_its_producer_dies(
    ticks: list[tuple[int, str, bool]], flow: dict[str, Any], dying: list[Death], delay: Delays
) -> None:
    producers = [death._replace(who=PRODUCER) for death in dying]

    died = played(a_live_desk(ticks, flow), producers, (), delay)

    assert died.balance() == {"trades": 0, "quotes": 0}
    assert sum(died.feed.counts.received.values()) <= len(ticks)
    shown_once_and_in_order(died)


@examples(60)
@given(live_ticks, live_flows, st.integers(1, 150), st.integers(0, 11), delays)
def test_strategies_of_a_live_feed_keep_track_of_their_orders_when_everything_dies(
    ticks: list[tuple[int, str, bool]], flow: dict[str, Any], after: int, how: int, delay: Delays
) -> None:
    protected = {"capacity": 1_000, "retain_bytes": 1 << 20}
    desk = replace(a_live_desk(ticks, flow | protected), strategies=ENTRIES[:1])

    died = played(desk, [Death(after, EVERYTHING, how)], (), delay)

    assert died.manager.problems == []
    assert [instance.open_orders for instance in instances(died)] == [()] * len(instances(died))
    held = {(seat.entry.name, seat.symbol): seat.position.quantity for seat in instances(died)}
    booked = {pair: position.quantity for pair, position in died.manager.positions().items()}
    assert {pair: held.get(pair) for pair in booked} == booked


def instances(world: World) -> list[Instance]:
    return [seat for shard in world.shards() for state in shard.engine.symbols.values() for seat in state.instances]


@examples(80)
@given(taped, trouble, st.integers(1, 400), st.sampled_from([True, False]))
def test_a_stop_of_a_lossless_feed_balances_whoever_dies_or_moves(
    day: Taped,
    disturbed: Trouble,
    stop_at: int,
    lockstep: bool,
) -> None:
    desk = day.desk(lockstep=lockstep)

    stopped = played(desk, *disturbed, stop_at)

    assert stopped.balance() == {"trades": 0, "quotes": 0}
    assert max((event.given_ns for event in stopped.ledger.events.values()), default=0) <= stopped.loop.session_ns
    assert stopped.loop.marked or not stopped.ledger.events
    assert len({consumer.shard.engine.mark_ns for consumer in stopped.consumers.values()}) == 1


@examples(60)
@given(paced, trouble, st.integers(0, 400))
def test_a_paced_feed_balances_whoever_dies_or_moves_and_whenever_it_is_stopped(
    day: Taped,
    disturbed: Trouble,
    stop_at: int,
) -> None:
    desk = day.desk(lockstep=False, speed=1_000.0)

    stopped = played(desk, *disturbed, stop_at)

    assert stopped.balance() == {"trades": 0, "quotes": 0}


@examples(60)
@given(live_ticks, live_flows, deaths, delays, st.integers(1, 200))
def test_a_stop_of_a_live_feed_balances_whoever_dies(
    ticks: list[tuple[int, str, bool]], flow: dict[str, Any], dying: list[Death], delay: Delays, stop_at: int
) -> None:
    stopped = played(a_live_desk(ticks, flow), dying, (), delay, stop_at)

    assert stopped.balance() == {"trades": 0, "quotes": 0}
    shown_once_and_in_order(stopped)


@examples(80)
@given(taped, trouble, st.integers(0, 300), st.integers(1, 120), st.booleans())
def test_a_run_that_is_cut_while_it_closes_and_resumed_ends_as_if_nobody_had_stopped_it(
    day: Taped,
    disturbed: Trouble,
    stop_at: int,
    cut_after: int,
    lockstep: bool,
) -> None:
    desk = day.desk(strategies=ENTRIES if lockstep else (), lockstep=lockstep)
    world = World(desk, *disturbed, stop_at)
    world.cut_at = stop_at + cut_after

    the_same(played(desk), ended(world))
