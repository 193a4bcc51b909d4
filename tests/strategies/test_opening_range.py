import pickle

import pytest
from driver_context import DriverContext

from strategies.examples.opening_range import OpeningRange


def with_range(params: OpeningRange.Params | None = None) -> tuple[OpeningRange, DriverContext]:
    """Five minutes between 99 and 100 have passed, and the price is inside."""
    strategy = OpeningRange(params or OpeningRange.Params(minutes=5, risk_usd=50.0))
    ctx = DriverContext()
    for _ in range(5):
        ctx.minute(high=100.0, low=99.0, close=99.5)
    tick(strategy, ctx, 99.5)
    return strategy, ctx


def tick(strategy: OpeningRange, ctx: DriverContext, price: float) -> None:
    ctx.second(price)
    strategy.on_second(ctx)


def test_a_breakout_above_the_range_is_bought_with_the_risk_over_its_width() -> None:
    strategy, ctx = with_range()

    tick(strategy, ctx, 100.01)

    assert ctx.asked == [("buy", 50.0)]


def test_nothing_is_done_before_the_range_is_whole() -> None:
    strategy = OpeningRange(OpeningRange.Params(minutes=5))
    ctx = DriverContext()
    for price in (99.0, 100.0, 101.0, 105.0):
        ctx.minute(high=price, low=price - 1)
        tick(strategy, ctx, price + 1)

    assert ctx.asked == []


def test_the_last_minute_of_the_range_is_waited_for_until_it_can_only_have_been_without_a_trade() -> None:
    strategy = OpeningRange(OpeningRange.Params(minutes=2))
    ctx = DriverContext()
    ctx.minute(high=100.0, low=99.0)
    ctx.second(99.5, seconds=60)
    strategy.on_second(ctx)
    tick(strategy, ctx, 100.5)
    asked_early = ctx.asked

    ctx.second(99.5, seconds=60)
    strategy.on_second(ctx)
    tick(strategy, ctx, 100.5)

    assert asked_early == []
    assert ctx.asked == [("buy", 50.0)]


def test_without_the_sessions_start_there_is_no_range_and_no_trade() -> None:
    strategy = OpeningRange(OpeningRange.Params(minutes=5))
    ctx = DriverContext()
    ctx.warm = False
    for _ in range(5):
        ctx.minute(high=100.0, low=99.0)

    for price in (99.5, 100.5, 99.5, 98.0):
        tick(strategy, ctx, price)

    assert ctx.asked == []


def test_a_range_of_one_price_has_no_width_to_risk() -> None:
    strategy = OpeningRange(OpeningRange.Params(minutes=1))
    ctx = DriverContext()
    ctx.minute(high=100.0, low=100.0)

    for price in (100.0, 101.0):
        tick(strategy, ctx, price)

    assert ctx.asked == []


def test_who_joins_after_the_price_left_waits_until_it_has_come_back() -> None:
    strategy = OpeningRange(OpeningRange.Params(minutes=5))
    ctx = DriverContext()
    for _ in range(5):
        ctx.minute(high=100.0, low=99.0)
    tick(strategy, ctx, 103.0)
    asked_far_out = ctx.asked

    tick(strategy, ctx, 99.9)
    tick(strategy, ctx, 100.1)

    assert asked_far_out == []
    assert ctx.asked == [("buy", 50.0)]


def test_a_step_below_the_range_is_sold_only_when_shorts_are_asked_for() -> None:
    long_only, long_ctx = with_range()
    both, both_ctx = with_range(OpeningRange.Params(minutes=5, short=True))

    tick(long_only, long_ctx, 98.9)
    tick(both, both_ctx, 98.9)

    assert long_ctx.asked == []
    assert both_ctx.asked == [("sell", 50.0)]


def test_a_narrow_range_is_bounded_by_the_positions_value() -> None:
    strategy = OpeningRange(OpeningRange.Params(minutes=1, max_usd=1_000.0))
    ctx = DriverContext()
    ctx.minute(high=100.0, low=99.99)

    tick(strategy, ctx, 100.0)
    tick(strategy, ctx, 100.01)

    assert ctx.asked == [("buy", 9.0)]


def test_a_breakout_on_degraded_data_is_let_go() -> None:
    strategy, ctx = with_range()
    ctx.degraded = True
    tick(strategy, ctx, 100.1)

    ctx.degraded = False
    tick(strategy, ctx, 100.2)

    assert ctx.asked == []


@pytest.mark.parametrize(("price", "leaves"), [(99.5, False), (99.0, True), (101.9, False), (102.1, True)])
def test_a_long_leaves_at_the_ranges_low_or_at_twice_its_width(price: float, leaves: bool) -> None:
    strategy, ctx = with_range()
    tick(strategy, ctx, 100.05)
    ctx.fill(100.05)

    tick(strategy, ctx, price)

    assert (ctx.asked[1:] == [("sell", 50.0)]) is leaves


@pytest.mark.parametrize(("price", "leaves"), [(99.5, False), (100.0, True), (97.0, False), (96.9, True)])
def test_a_short_leaves_the_other_way_round(price: float, leaves: bool) -> None:
    strategy, ctx = with_range(OpeningRange.Params(minutes=5, short=True))
    tick(strategy, ctx, 98.95)
    ctx.fill(98.95)

    tick(strategy, ctx, price)

    assert (ctx.asked[1:] == [("buy", 50.0)]) is leaves


def test_the_stop_holds_on_degraded_data_too() -> None:
    strategy, ctx = with_range()
    tick(strategy, ctx, 100.1)
    ctx.fill(100.1)
    ctx.degraded = True

    tick(strategy, ctx, 98.0)

    assert ctx.asked[1:] == [("sell", 50.0)]


def test_leaving_a_half_filled_entry_takes_the_rest_back_and_sells_what_still_comes() -> None:
    strategy, ctx = with_range()
    tick(strategy, ctx, 100.1)
    ctx.fill(100.1, quantity=20.0)
    tick(strategy, ctx, 98.9)
    ctx.fill(98.9, quantity=30.0)
    ctx.fill(98.9)
    while ctx.position.quantity:
        tick(strategy, ctx, 98.9)
        ctx.fill(98.8)

    tick(strategy, ctx, 98.9)

    assert ctx.cancels == ["order-1"]
    assert ctx.asked == [("buy", 50.0), ("sell", 20.0), ("sell", 30.0)]
    assert ctx.open_orders == ()


def test_an_exit_that_was_refused_is_asked_for_again() -> None:
    strategy, ctx = with_range()
    tick(strategy, ctx, 100.1)
    ctx.fill(100.1)
    tick(strategy, ctx, 98.9)
    ctx.end("order-2")

    tick(strategy, ctx, 99.9)

    assert ctx.asked[1:] == [("sell", 50.0), ("sell", 50.0)]


def test_there_is_one_entry_per_session_refused_or_not() -> None:
    strategy, ctx = with_range()
    tick(strategy, ctx, 100.1)
    ctx.end("order-1")

    for price in (99.5, 100.5, 99.5, 101.0):
        tick(strategy, ctx, price)

    assert len(ctx.asked) == 1


def test_a_restart_in_mid_life_changes_no_decision() -> None:
    strategy, ctx = with_range()
    copy, copy_ctx = with_range()
    for price in (100.1, 100.2, 99.5, 98.9, 98.8):
        copy = pickle.loads(pickle.dumps(copy))
        for each, its in ((strategy, ctx), (copy, copy_ctx)):
            tick(each, its, price)
            if its.open_orders:
                its.fill(price)

    assert copy_ctx.asked == ctx.asked == [("buy", 50.0), ("sell", 50.0)]
