import pytest

from desk.testing import StrategyHarness, bar
from strategies.examples.opening_range import OpeningRange


def with_range(params: OpeningRange.Params | None = None) -> StrategyHarness[OpeningRange]:
    """Five minutes between 99 and 100 have passed, and the price is inside."""
    run = StrategyHarness(OpeningRange, params or OpeningRange.Params(minutes=5, risk_usd=50.0))
    for _ in range(5):
        run.minute(99.5, high=100.0, low=99.0)
    return run


def tick(run: StrategyHarness[OpeningRange], price: float) -> None:
    run.trade(price)
    run.advance()


def test_a_breakout_above_the_range_is_bought_with_the_risk_over_its_width() -> None:
    run = with_range()

    tick(run, 100.01)

    assert run.decisions == [("buy", 50.0)]


def test_nothing_is_done_before_the_range_is_whole() -> None:
    run = StrategyHarness(OpeningRange, OpeningRange.Params(minutes=5))
    for price in (99.0, 100.0, 101.0, 105.0):
        run.minute(price, low=price - 1)
        tick(run, price + 1)

    assert run.decisions == []


def test_the_last_minute_of_the_range_is_waited_for_until_it_can_only_have_been_without_a_trade() -> None:
    run = StrategyHarness(OpeningRange, OpeningRange.Params(minutes=2))
    run.minute(100.0, low=99.0)
    run.advance(59)
    tick(run, 99.5)
    tick(run, 100.5)
    asked_early = run.decisions

    run.advance(60)
    tick(run, 99.5)
    tick(run, 100.5)

    assert asked_early == []
    assert run.decisions == [("buy", 50.0)]


def test_without_the_sessions_start_there_is_no_range_and_no_trade() -> None:
    run = StrategyHarness(OpeningRange, OpeningRange.Params(minutes=5), warm=False)
    for _ in range(5):
        run.minute(100.0, low=99.0)

    for price in (99.5, 100.5, 99.5, 98.0):
        tick(run, price)

    assert run.decisions == []


def test_a_range_of_one_price_has_no_width_to_risk() -> None:
    run = StrategyHarness(OpeningRange, OpeningRange.Params(minutes=1))
    run.minute(100.0)

    for price in (100.0, 101.0):
        tick(run, price)

    assert run.decisions == []


def test_who_joins_after_the_price_left_waits_until_it_has_come_back() -> None:
    minutes = [bar(minute, 100.0, low=99.0) for minute in range(5)]
    run = StrategyHarness(OpeningRange, OpeningRange.Params(minutes=5), bars=minutes)
    tick(run, 103.0)
    asked_far_out = run.decisions

    tick(run, 99.9)
    tick(run, 100.1)

    assert asked_far_out == []
    assert run.decisions == [("buy", 50.0)]


def test_a_step_below_the_range_is_sold_only_when_shorts_are_requested() -> None:
    long_only = with_range()
    both = with_range(OpeningRange.Params(minutes=5, short=True))

    tick(long_only, 98.9)
    tick(both, 98.9)

    assert long_only.decisions == []
    assert both.decisions == [("sell", 50.0)]


def test_a_narrow_range_is_bounded_by_the_positions_value() -> None:
    run = StrategyHarness(OpeningRange, OpeningRange.Params(minutes=1, max_usd=1_000.0))
    run.minute(100.0, low=99.99)

    tick(run, 100.0)
    tick(run, 100.01)

    assert run.decisions == [("buy", 9.0)]


def test_a_breakout_on_degraded_data_is_let_go() -> None:
    run = with_range()
    run.degraded = True
    tick(run, 100.1)

    run.degraded = False
    tick(run, 100.2)

    assert run.decisions == []


@pytest.mark.parametrize(("price", "leaves"), [(99.5, False), (99.0, True), (101.9, False), (102.1, True)])
def test_a_long_leaves_at_the_ranges_low_or_at_twice_its_width(price: float, leaves: bool) -> None:
    run = with_range()
    tick(run, 100.05)
    run.fill(100.05)

    tick(run, price)

    assert (run.decisions[1:] == [("sell", 50.0)]) is leaves


@pytest.mark.parametrize(("price", "leaves"), [(99.5, False), (100.0, True), (97.0, False), (96.9, True)])
def test_a_short_leaves_the_other_way_round(price: float, leaves: bool) -> None:
    run = with_range(OpeningRange.Params(minutes=5, short=True))
    tick(run, 98.95)
    run.fill(98.95)

    tick(run, price)

    assert (run.decisions[1:] == [("buy", 50.0)]) is leaves


def test_the_stop_holds_on_degraded_data_too() -> None:
    run = with_range()
    tick(run, 100.1)
    run.fill(100.1)
    run.degraded = True

    tick(run, 98.0)

    assert run.decisions[1:] == [("sell", 50.0)]


def test_leaving_a_half_filled_entry_takes_the_rest_back_and_sells_what_still_comes() -> None:
    run = with_range()
    tick(run, 100.1)
    run.fill(100.1, quantity=20.0)
    tick(run, 98.9)
    run.fill(98.9, quantity=30.0)
    run.fill(98.9)
    while run.context.position.quantity:
        tick(run, 98.9)
        run.fill(98.8)

    tick(run, 98.9)

    assert run.cancels == [run.sent[0].client_order_id]
    assert run.decisions == [("buy", 50.0), ("sell", 20.0), ("sell", 30.0)]
    assert run.context.open_orders == ()


def test_an_exit_that_was_refused_is_requested_again() -> None:
    run = with_range()
    tick(run, 100.1)
    run.fill(100.1)
    tick(run, 98.9)
    run.end_order("rejected")

    tick(run, 99.9)

    assert run.decisions[1:] == [("sell", 50.0), ("sell", 50.0)]


def test_there_is_one_entry_per_session_refused_or_not() -> None:
    run = with_range()
    tick(run, 100.1)
    run.end_order("rejected")

    for price in (99.5, 100.5, 99.5, 101.0):
        tick(run, price)

    assert len(run.decisions) == 1


def test_a_restart_in_mid_life_changes_no_decision() -> None:
    run, restarted = with_range(), with_range()
    for price in (100.1, 100.2, 99.5, 98.9, 98.8):
        restarted.restart()
        for each in (run, restarted):
            tick(each, price)
            if each.context.open_orders:
                each.fill(price)

    assert restarted.decisions == run.decisions == [("buy", 50.0), ("sell", 50.0)]
