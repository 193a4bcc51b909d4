"""Deaths of any process at any moment do not change the results of a desk."""

from dataclasses import replace
from typing import Any

from crashing_desk import EVERYTHING, PRODUCER, SHARD, CrashSimulation, Death, Delays
from hypothesis import example, given
from hypothesis import strategies as st
from random_days import (
    ENTRIES,
    Disturbance,
    LiveTick,
    TapeDay,
    a_live_desk,
    assert_same_results,
    assert_ticks_once_in_order,
    deaths,
    delays,
    disturbances,
    examples,
    live_flows,
    live_ticks,
    paced_days,
    play_desk,
    play_to_end,
    tape_days,
)

from desk.consumer.engine.instance import Instance


@examples(40)
@given(tape_days, disturbances)
def test_in_lockstep_nothing_depends_on_who_dies_or_moves(
    day: TapeDay,
    disturbed: Disturbance,
) -> None:
    desk = day.desk()

    lived, died = play_desk(desk), play_desk(desk, *disturbed)

    assert_same_results(lived, died)


@examples(60)
@given(tape_days, disturbances)
def test_without_lockstep_a_lossless_feed_makes_the_same_bars_whoever_dies_or_moves(
    day: TapeDay,
    disturbed: Disturbance,
) -> None:
    desk = day.desk(strategies=(), lockstep=False)

    lived, died = play_desk(desk), play_desk(desk, *disturbed)

    assert_same_results(lived, died)


@examples(60)
@given(live_ticks, live_flows, deaths, delays)
def test_a_live_feed_balances_whichever_consumers_die(
    ticks: list[LiveTick], flow: dict[str, Any], dying: list[Death], delay: Delays
) -> None:
    consumers = [death._replace(part=SHARD + death.part) for death in dying]

    died = play_desk(a_live_desk(ticks, flow), consumers, (), delay)

    assert died.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    assert sum(died.feed.counts.received.values()) == len(ticks)
    assert_ticks_once_in_order(died)


@examples(60)
@given(live_ticks, live_flows, deaths, delays)
def test_a_live_feed_balances_by_the_shards_own_totals_when_its_producer_dies(
    ticks: list[LiveTick], flow: dict[str, Any], dying: list[Death], delay: Delays
) -> None:
    producers = [death._replace(part=PRODUCER) for death in dying]

    died = play_desk(a_live_desk(ticks, flow), producers, (), delay)

    assert died.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    assert sum(died.feed.counts.received.values()) <= len(ticks)
    assert_ticks_once_in_order(died)


@examples(60)
@example(  # the fill of order 1 came in a batch before that of order 2's events, and its hook decided order 2 again
    [(0, "A", False)],
    {"shards": 1, "window": 1, "max_batch_bytes": 150, "checkpoint_s": 0.0001},
    45,
    1,
    Delays(0, 0, 0, 0, 0),
)
@given(live_ticks, live_flows, st.integers(1, 150), st.integers(0, 11), delays)
def test_strategies_of_a_live_feed_keep_track_of_their_orders_when_everything_dies(
    ticks: list[LiveTick], flow: dict[str, Any], after: int, how: int, delay: Delays
) -> None:
    protected = {"capacity": 1_000, "retain_bytes": 1 << 20}
    desk = replace(a_live_desk(ticks, flow | protected), strategies=ENTRIES[:1])

    died = play_desk(desk, [Death(after, EVERYTHING, how)], (), delay)

    assert died.manager.problems == []
    assert [instance.open_orders for instance in instances(died)] == [()] * len(instances(died))
    held = {(seat.entry.name, seat.symbol): seat.position.quantity for seat in instances(died)}
    booked = {pair: position.quantity for pair, position in died.manager.positions().items()}
    assert {pair: held.get(pair) for pair in booked} == booked


def instances(simulation: CrashSimulation) -> list[Instance]:
    return [
        seat for shard in simulation.shards() for state in shard.engine.symbols.values() for seat in state.instances
    ]


@examples(80)
@given(tape_days, disturbances, st.integers(1, 400), st.sampled_from([True, False]))
def test_a_stop_of_a_lossless_feed_balances_whoever_dies_or_moves(
    day: TapeDay,
    disturbed: Disturbance,
    stop_at: int,
    lockstep: bool,
) -> None:
    desk = day.desk(lockstep=lockstep)

    stopped = play_desk(desk, *disturbed, stop_at)

    assert stopped.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    assert max((event.given_ns for event in stopped.ledger.events.values()), default=0) <= stopped.loop.session_ns
    assert stopped.loop.marked or not stopped.ledger.events
    assert len({consumer.shard.engine.mark_ns for consumer in stopped.consumers.values()}) == 1


@examples(60)
@given(paced_days, disturbances, st.integers(0, 400))
def test_a_paced_feed_balances_whoever_dies_or_moves_and_whenever_it_is_stopped(
    day: TapeDay,
    disturbed: Disturbance,
    stop_at: int,
) -> None:
    desk = day.desk(lockstep=False, speed=1_000.0)

    stopped = play_desk(desk, *disturbed, stop_at)

    assert stopped.balance() == {"trades": 0, "quotes": 0, "notices": 0}


@examples(60)
@given(live_ticks, live_flows, deaths, delays, st.integers(1, 200))
def test_a_stop_of_a_live_feed_balances_whoever_dies(
    ticks: list[LiveTick], flow: dict[str, Any], dying: list[Death], delay: Delays, stop_at: int
) -> None:
    stopped = play_desk(a_live_desk(ticks, flow), dying, (), delay, stop_at)

    assert stopped.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    assert_ticks_once_in_order(stopped)


@examples(80)
@given(tape_days, disturbances, st.integers(0, 300), st.integers(1, 120), st.booleans())
def test_a_run_that_is_cut_while_it_closes_and_resumed_ends_as_if_nobody_had_stopped_it(
    day: TapeDay,
    disturbed: Disturbance,
    stop_at: int,
    cut_after: int,
    lockstep: bool,
) -> None:
    desk = day.desk(strategies=ENTRIES if lockstep else (), lockstep=lockstep)
    simulation = CrashSimulation(desk, *disturbed, stop_at)
    simulation.cut_at = stop_at + cut_after

    assert_same_results(play_desk(desk), play_to_end(simulation))
