import pickle

import pytest

from desk.testing import StrategyHarness
from strategies.examples.pressure import Pressure


def with_book(bid_size: float, ask_size: float) -> StrategyHarness[Pressure]:
    """Thirty quotes of this book have come."""
    run = StrategyHarness(Pressure)
    quotes(run, bid_size, ask_size)
    return run


def quotes(run: StrategyHarness[Pressure], bid_size: float, ask_size: float, count: int = 30) -> None:
    for _ in range(count):
        book(run, bid_size, ask_size)


def book(
    run: StrategyHarness[Pressure], bid_size: float, ask_size: float, bid: float = 99.99, ask: float = 100.01
) -> None:
    run.quote(bid, ask, bid_size, ask_size)


@pytest.mark.parametrize(
    ("bid_size", "ask_size", "asked"),
    [(400.0, 100.0, [("buy", 5.0)]), (100.0, 400.0, [("sell", 5.0)]), (200.0, 100.0, [])],
)
def test_the_side_that_is_so_much_heavier_is_followed(bid_size: float, ask_size: float, asked: list[object]) -> None:
    run = with_book(bid_size, ask_size)

    run.advance()

    assert run.decisions == asked


def test_a_few_quotes_say_nothing_yet() -> None:
    run = StrategyHarness(Pressure)
    quotes(run, 900.0, 100.0, count=5)

    run.advance()

    assert run.decisions == []


@pytest.mark.parametrize(
    "odd",
    [
        {"bid_size": 900.0, "ask_size": 0.0},
        {"bid_size": 900.0, "ask_size": 1.0, "bid": 100.02, "ask": 100.01},
        {"bid_size": 900.0, "ask_size": 1.0, "bid": 100.0, "ask": 100.0},
        {"bid_size": 900.0, "ask_size": 1.0, "bid": 0.0},
        {"bid_size": 900.0, "ask_size": 1.0, "ask": float("nan")},
    ],
)
def test_odd_quotes_change_nothing(odd: dict[str, float]) -> None:
    run = with_book(100.0, 100.0)
    before = pickle.dumps(run.strategy)

    book(run, **odd)

    assert pickle.dumps(run.strategy) == before


def test_one_large_quote_is_no_pressure() -> None:
    run = with_book(100.0, 100.0)

    book(run, 500.0, 100.0)
    run.advance()

    assert run.decisions == []


def test_a_position_is_closed_after_its_time() -> None:
    run = with_book(400.0, 100.0)
    run.advance()
    run.fill(100.01)
    run.advance(19)
    asked_before = len(run.decisions)

    run.advance()

    assert asked_before == 1
    assert run.decisions[1:] == [("sell", 5.0)]


def test_a_position_is_closed_when_the_other_side_became_the_heavier() -> None:
    run = with_book(400.0, 100.0)
    run.advance()
    run.fill(100.01, quantity=3.0)
    run.end_order()
    quotes(run, 100.0, 400.0)

    run.advance()

    assert run.decisions[1:] == [("sell", 3.0)]


def test_while_an_order_is_open_no_other_is_sent() -> None:
    run = with_book(400.0, 100.0)

    for _ in range(60):
        run.advance()

    assert len(run.decisions) == 1


def test_attempts_that_are_refused_keep_their_distance() -> None:
    run = with_book(400.0, 100.0)

    for _ in range(60):
        run.advance()
        for order in run.context.open_orders:
            run.end_order(order=order)

    assert len(run.decisions) == 3


def test_degraded_data_opens_nothing_but_closes() -> None:
    flat = with_book(400.0, 100.0)
    held = with_book(400.0, 100.0)
    held.advance()
    held.fill(100.01)
    flat.degraded = held.degraded = True

    flat.advance()
    held.advance(20)

    assert flat.decisions == []
    assert held.decisions[1:] == [("sell", 5.0)]


def test_a_restart_in_mid_life_changes_no_decision() -> None:
    run, restarted = with_book(400.0, 100.0), with_book(400.0, 100.0)
    for bid_size, ask_size in [(400.0, 100.0), (50.0, 400.0), (50.0, 900.0), (900.0, 50.0)]:
        restarted.restart()
        for each in (run, restarted):
            quotes(each, bid_size, ask_size)
            each.advance(10)
            if each.context.open_orders:
                each.fill(100.0)

    assert restarted.decisions == run.decisions
    assert [side for side, _ in run.decisions] == ["buy", "sell", "sell", "buy"]
