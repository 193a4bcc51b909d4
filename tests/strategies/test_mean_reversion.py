import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.loading import load_strategy
from desk.model.errors import StrategyError
from desk.testing import StrategyHarness
from strategies.examples.mean_reversion import MeanReversion

CALM = [100.0, 100.02] * 10


def after(prices: list[float], **params: float) -> StrategyHarness[MeanReversion]:
    run = StrategyHarness(MeanReversion, params)
    for price in prices:
        tick(run, price)
    return run


def tick(run: StrategyHarness[MeanReversion], price: float) -> None:
    run.trade(price)
    run.advance()


def test_a_fall_out_of_a_calm_window_is_bought_for_the_risk_at_once_or_not_at_all() -> None:
    run = after([*CALM, 99.8])

    assert run.decisions == [("buy", 5.0)]
    assert run.sent[0].tif == "ioc"


def test_a_rise_is_sold() -> None:
    run = after([*CALM, 100.2])

    assert run.decisions == [("sell", 4.0)]


@pytest.mark.parametrize("prices", [[], CALM, [100.0] * 40, [100.0] * 10 + [90.0]])
def test_nothing_is_done_in_calm_or_before_the_window_is_full(prices: list[float]) -> None:
    run = after(prices)

    assert run.decisions == []


def test_nothing_is_done_before_the_first_trade() -> None:
    run = StrategyHarness(MeanReversion)

    run.advance()

    assert run.decisions == []


def test_a_position_is_closed_when_the_price_is_back_near_its_mean() -> None:
    run = after([*CALM, 99.8])
    run.fill(99.8)
    tick(run, 99.85)
    asked_still_away = len(run.decisions)

    tick(run, 100.0)

    assert asked_still_away == 1
    assert run.decisions[1:] == [("sell", 5.0)]


def test_a_price_that_jumps_past_its_mean_closes_too() -> None:
    run = after([*CALM, 100.2])
    run.fill(100.2)

    tick(run, 99.0)

    assert run.decisions[1:] == [("buy", 4.0)]


def test_only_what_was_filled_is_closed() -> None:
    run = after([*CALM, 99.8])
    run.fill(99.8, quantity=2.0)
    run.end_order()

    tick(run, 100.0)

    assert run.decisions[1:] == [("sell", 2.0)]


def test_while_an_order_is_open_no_other_is_sent() -> None:
    run = after([*CALM, 99.8])

    for price in (99.7, 99.6, 100.0):
        tick(run, price)

    assert len(run.decisions) == 1


def test_after_a_refusal_the_price_must_come_back_before_the_next_attempt() -> None:
    run = after([*CALM, 99.8])
    run.end_order()
    tick(run, 99.5)
    asked_at_once = len(run.decisions)

    for price in [100.0, *CALM, 99.7]:
        tick(run, price)

    assert asked_at_once == 1
    assert [side for side, _ in run.decisions] == ["buy", "buy"]


def test_degraded_data_opens_nothing_but_closes() -> None:
    flat = after(CALM)
    held = after([*CALM, 99.8])
    held.fill(99.8)
    flat.degraded = held.degraded = True

    tick(flat, 99.8)
    tick(held, 100.0)

    assert flat.decisions == []
    assert held.decisions[1:] == [("sell", 5.0)]


def test_a_share_dearer_than_the_risk_is_left_alone() -> None:
    run = after([*CALM, 99.8], risk_usd=50.0)

    assert run.decisions == []


def test_a_restart_in_mid_life_changes_no_decision() -> None:
    run, restarted = after(CALM), after(CALM)
    for price in [99.8, 99.9, 100.0, *CALM, 100.3, 100.0]:
        restarted.restart()
        for each in (run, restarted):
            tick(each, price)
            if each.context.open_orders:
                each.fill(price)

    assert restarted.decisions == run.decisions
    assert len(run.decisions) == 4


@given(st.lists(st.integers(1, 10_000_000), min_size=5, max_size=60))
def test_the_running_score_is_the_score_of_the_window(units: list[int]) -> None:
    strategy = MeanReversion(MeanReversion.Params(window=5, entry_z=1.0))

    scores = [strategy._score(each / 10_000) for each in units]

    window = units[-5:]
    spread = statistics.pstdev(window)
    expected = (window[-1] - statistics.fmean(window)) / spread if spread else 0.0
    assert scores[-1] == pytest.approx(expected, abs=1e-9)
    assert scores[:4] == [None] * 4


def test_thresholds_that_could_never_be_met_are_refused_in_the_plan() -> None:
    with pytest.raises(StrategyError, match=r"entry_z must lie between .* = 1\.79"):
        load_strategy("strategies.examples.mean_reversion:MeanReversion", {"window": 5}, "plan.toml")
