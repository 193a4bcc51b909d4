from desk.loading import load_strategy
from desk.testing import StrategyHarness
from strategies.template import Template


def test_the_template_is_ready_to_run() -> None:
    factory = load_strategy("strategies.template:Template", {"minutes": 5, "shares": 10}, "plan.toml")

    assert isinstance(factory.create(), Template)


def test_it_buys_above_the_mean_and_closes_below() -> None:
    run = StrategyHarness(Template, Template.Params(minutes=3, shares=10))
    for close in (10.0, 10.0, 11.0):
        run.minute(close)
    run.fill(11.0, quantity=4.0)
    run.fill(11.0)

    run.minute(9.0)
    run.fill(9.0)

    assert run.decisions == [("buy", 10.0), ("sell", 10.0)]
    assert run.strategy.entries == 1


def test_it_waits_for_open_orders_fresh_data_and_enough_minutes() -> None:
    run = StrategyHarness(Template, Template.Params(minutes=3))
    run.degraded = True
    for close in (10.0, 11.0, 12.0):
        run.minute(close)
    asked_degraded = len(run.decisions)

    run.degraded = False
    for close in (13.0, 14.0):
        run.minute(close)

    assert asked_degraded == 0
    assert run.decisions == [("buy", 10.0)]


def test_a_restart_in_mid_life_changes_no_decision() -> None:
    run = StrategyHarness(Template, Template.Params(minutes=2))
    for close in (10.0, 11.0, 9.0, 12.0):
        run.restart()
        run.minute(close)
        if run.context.open_orders:
            run.fill(close)

    assert run.decisions == [("buy", 10.0), ("sell", 10.0), ("buy", 10.0)]
    assert run.strategy.entries == 2
