from desk.testing import StrategyHarness, past_days
from strategies.examples.daily_breakout import DailyBreakout

PARAMS = DailyBreakout.Params(days=3, usd=1_000.0)


def with_days(*closes: float) -> StrategyHarness[DailyBreakout]:
    return StrategyHarness(DailyBreakout, PARAMS, on_bar=("5m",), history={"1d": past_days(closes)})


def five_minutes(run: StrategyHarness[DailyBreakout], close: float) -> None:
    for _ in range(5):
        run.minute(close)


def test_it_buys_the_first_five_minutes_that_close_above_the_last_days_and_once() -> None:
    run = with_days(30.0, 19.0, 20.0, 18.0)

    five_minutes(run, 20.0)
    before = list(run.decisions)
    five_minutes(run, 20.5)
    run.fill(20.5)
    run.restart()
    five_minutes(run, 21.0)

    assert before == []
    assert run.decisions == [("buy", 48.0)]


def test_it_closes_below_the_low_of_the_hour_before() -> None:
    run = with_days(9.0, 9.0, 9.0)
    five_minutes(run, 10.0)
    run.fill(10.0)

    five_minutes(run, 10.2)
    five_minutes(run, 9.9)
    run.fill(9.9)
    five_minutes(run, 12.0)

    assert run.decisions == [("buy", 100.0), ("sell", 100.0)]


def test_it_does_nothing_without_enough_days() -> None:
    short, cold = with_days(9.0, 9.0), StrategyHarness(DailyBreakout, PARAMS, on_bar=("5m",))

    for run in short, cold:
        five_minutes(run, 10.0)

    assert short.decisions == cold.decisions == []
