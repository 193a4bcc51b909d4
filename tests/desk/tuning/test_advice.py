from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.config import FlowPlan
from desk.flow.routing_table import RoutingTable
from desk.model.batch import MAX_BATCH_BYTES
from desk.tuning.advice import (
    CALL_MS,
    CALLS_SHARE,
    TARGET_BUSY,
    Advice,
    AdviceBounds,
    Costs,
    advise,
    busiest_lane,
    calls_work,
    choose_window,
)
from desk.tuning.ceilings import ceilings, concerns, producer_busy
from desk.tuning.market_load import LoadPeak, MarketLoad

COSTS = Costs(producer_us=2.0, shard_us=4.0, strategy_us=100.0, tick_bytes=60.0)


def load(per_s: float, symbols: int = 100, window_s: float = 5.0, top: int = 0) -> MarketLoad:
    """A market of equally busy symbols, of which the first may have `top` ticks more in the burst."""
    each = round(per_s * window_s / symbols)
    by_symbol = {f"S{number:03d}": each for number in range(symbols)}
    by_symbol["S000"] += top
    peak = LoadPeak(0, per_s)
    return MarketLoad(
        place="market",
        ticks=1,
        span_s=1.0,
        window_s=window_s,
        burst=peak,
        second=peak,
        mean_per_s=1.0,
        by_symbol=by_symbol,
    )


def advice(market: MarketLoad, costs: Costs = COSTS, most: int = 64, safety: float = 2.0) -> Advice:
    return advise(market, costs, AdviceBounds(most, safety))


def test_consumers_follow_from_the_work_of_ticks_and_strategies() -> None:
    found = advice(load(200_000.0))

    assert found.work == pytest.approx(0.8 + 0.01)
    assert found.needed == ceil(0.81 / TARGET_BUSY) == 2
    assert found.consumers == 2


def test_there_is_at_least_one_consumer_and_at_most_what_the_plan_allows() -> None:
    assert advice(load(1.0)).consumers == 1
    assert advice(load(2_000_000.0), most=3).consumers == 3


def test_capacity_is_for_the_busiest_lanes_share_of_the_burst_times_safety() -> None:
    market = load(200_000.0)

    found = advice(market, safety=3.0)

    ticks = 5.0 * 200_000 * busiest_lane(market.by_symbol, 2).share * 3
    assert ticks <= found.capacity < ticks + 1_000


def test_a_quiet_market_gets_the_least_linger_and_a_busy_one_a_linger_that_calls_can_be_paid_with() -> None:
    quiet, busy = advice(load(300.0)), advice(load(200_000.0))

    assert quiet.linger.value_ms == 1.0
    assert busy.linger.value_ms == pytest.approx(max(busy.linger.producer_ms, busy.linger.shard_ms), abs=0.1)
    assert calls_work(200_000, 2, busy.linger.producer_ms) == pytest.approx(TARGET_BUSY - 0.4)
    assert calls_work(200_000, 1, busy.linger.shard_ms) == pytest.approx(CALLS_SHARE)


def test_a_linger_never_outlasts_the_gathering_of_a_full_batch() -> None:
    found = advice(load(280_000.0, symbols=1), Costs(2.0, 2.0, 0.0, 900.0), most=1)

    assert found.linger.value_ms <= found.linger.most_ms < found.linger.producer_ms


def test_calls_cost_no_more_than_one_for_each_tick() -> None:
    assert calls_work(100.0, 4, 1.0) == pytest.approx(100 * CALL_MS / 1000)
    assert calls_work(1e6, 4, 2.0) == pytest.approx(2_000 * CALL_MS / 1000)


def test_a_short_linger_asks_for_a_window_that_covers_the_round_trip_twice() -> None:
    assert choose_window(0.1) == 40
    assert choose_window(1.0) == 4
    assert choose_window(16.0) == 4


def test_the_busiest_lane_is_the_producers_own_routing() -> None:
    by_symbol = {"A": 5, "B": 30, "C": 10}
    table = RoutingTable.even(range(3))

    found = busiest_lane(by_symbol, 3)

    mine = [symbol for symbol in by_symbol if table.shard_of(symbol) == table.shard_of("B")]
    assert found.share == sum(by_symbol[symbol] for symbol in mine) / 45
    assert (found.symbols, found.symbol, found.symbol_share) == (len(mine), "B", 30 / 45)


def test_a_symbol_that_dominates_is_named_because_it_cannot_be_split() -> None:
    market = load(100_000.0, top=1_000_000)
    costs = Costs(producer_us=0.5, shard_us=9.0, strategy_us=0.0, tick_bytes=60.0)

    found = advice(market, costs)
    first = ceilings(market, costs, found)[0]

    assert found.consumers == 2
    assert first.part == "the busiest shard"
    assert first.per_s < 1e6 / costs.shard_us / found.busiest.symbol_share
    assert any("S000 alone, which cannot be split, 67%" in line for line in concerns(market, costs, found, 64))


def test_what_is_not_cured_is_reported() -> None:
    market = load(400_000.0)

    found = advice(market, most=1)
    told = " ".join(concerns(market, COSTS, found, cores=1))

    assert f"{found.needed} consumers are needed and [consumers] max allows 1" in told
    assert "this machine has 1" in told
    assert "the producer would be" in told


def test_a_market_that_fits_raises_no_concern() -> None:
    market = load(5_000.0)

    assert concerns(market, COSTS, advice(market), cores=2) == []


@given(
    per_s=st.floats(0.1, 2e6),
    symbols=st.integers(1, 200),
    window_s=st.floats(0.1, 600.0),
    producer_us=st.floats(0.1, 50.0),
    shard_us=st.floats(0.1, 50.0),
    strategy_us=st.floats(0.0, 1e5),
    tick_bytes=st.floats(1.0, float(MAX_BATCH_BYTES)),
    most=st.integers(1, 64),
)
def test_whatever_was_measured_the_advice_is_a_plan_that_can_be_loaded(
    per_s: float,
    symbols: int,
    window_s: float,
    producer_us: float,
    shard_us: float,
    strategy_us: float,
    tick_bytes: float,
    most: int,
) -> None:
    market = load(per_s, symbols, window_s)
    costs = Costs(producer_us, shard_us, strategy_us, tick_bytes)

    found = advice(market, costs, most)

    FlowPlan(
        capacity=found.capacity,
        window=found.window,
        linger_ms=found.linger.value_ms,
        lag_threshold=found.capacity // 2,
    )
    assert 1 <= found.consumers <= most
    per_s_of_parts = [ceiling.per_s for ceiling in ceilings(market, costs, found)]
    assert per_s_of_parts == sorted(per_s_of_parts)
    assert producer_busy(market, found) >= found.producer_work
