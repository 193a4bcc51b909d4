import pickle

import pytest
from driver_context import DriverContext

from strategies.examples.pressure import Pressure


def with_book(bid_size: float, ask_size: float) -> tuple[Pressure, DriverContext]:
    """Thirty quotes of this book have come."""
    strategy = Pressure(Pressure.Params())
    ctx = DriverContext()
    quotes(strategy, ctx, bid_size, ask_size)
    return strategy, ctx


def quotes(strategy: Pressure, ctx: DriverContext, bid_size: float, ask_size: float, count: int = 30) -> None:
    for _ in range(count):
        strategy.on_quote(ctx, ctx.book(bid_size, ask_size))


def tick(strategy: Pressure, ctx: DriverContext, seconds: float = 1) -> None:
    ctx.second(seconds=seconds)
    strategy.on_second(ctx)


@pytest.mark.parametrize(
    ("bid_size", "ask_size", "asked"),
    [(400.0, 100.0, [("buy", 5.0)]), (100.0, 400.0, [("sell", 5.0)]), (200.0, 100.0, [])],
)
def test_the_side_that_is_so_much_heavier_is_followed(bid_size: float, ask_size: float, asked: list[object]) -> None:
    strategy, ctx = with_book(bid_size, ask_size)

    tick(strategy, ctx)

    assert ctx.asked == asked


def test_a_few_quotes_say_nothing_yet() -> None:
    strategy = Pressure(Pressure.Params())
    ctx = DriverContext()
    quotes(strategy, ctx, 900.0, 100.0, count=5)

    tick(strategy, ctx)

    assert ctx.asked == []


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
    strategy, ctx = with_book(100.0, 100.0)
    before = pickle.dumps(strategy)

    strategy.on_quote(ctx, ctx.book(**odd))

    assert pickle.dumps(strategy) == before


def test_one_large_quote_is_no_pressure() -> None:
    strategy, ctx = with_book(100.0, 100.0)

    strategy.on_quote(ctx, ctx.book(500.0, 100.0))
    tick(strategy, ctx)

    assert ctx.asked == []


def test_a_position_is_closed_after_its_time() -> None:
    strategy, ctx = with_book(400.0, 100.0)
    tick(strategy, ctx)
    ctx.fill(100.01)
    tick(strategy, ctx, seconds=19)
    asked_before = len(ctx.asked)

    tick(strategy, ctx)

    assert asked_before == 1
    assert ctx.asked[1:] == [("sell", 5.0)]


def test_a_position_is_closed_when_the_other_side_became_the_heavier() -> None:
    strategy, ctx = with_book(400.0, 100.0)
    tick(strategy, ctx)
    ctx.fill(100.01, quantity=3.0)
    ctx.end("order-1")
    quotes(strategy, ctx, 100.0, 400.0)

    tick(strategy, ctx)

    assert ctx.asked[1:] == [("sell", 3.0)]


def test_while_an_order_is_open_no_other_is_sent() -> None:
    strategy, ctx = with_book(400.0, 100.0)

    for _ in range(60):
        tick(strategy, ctx)

    assert len(ctx.asked) == 1


def test_attempts_that_are_refused_keep_their_distance() -> None:
    strategy, ctx = with_book(400.0, 100.0)

    for _ in range(60):
        tick(strategy, ctx)
        for order in ctx.open_orders:
            ctx.end(order)

    assert len(ctx.asked) == 3


def test_degraded_data_opens_nothing_but_closes() -> None:
    flat, flat_ctx = with_book(400.0, 100.0)
    held, held_ctx = with_book(400.0, 100.0)
    tick(held, held_ctx)
    held_ctx.fill(100.01)
    flat_ctx.degraded = held_ctx.degraded = True

    tick(flat, flat_ctx)
    tick(held, held_ctx, seconds=20)

    assert flat_ctx.asked == []
    assert held_ctx.asked[1:] == [("sell", 5.0)]


def test_a_restart_in_mid_life_changes_no_decision() -> None:
    runs = [with_book(400.0, 100.0), with_book(400.0, 100.0)]
    for bid_size, ask_size in [(400.0, 100.0), (50.0, 400.0), (50.0, 900.0), (900.0, 50.0)]:
        runs[1] = (pickle.loads(pickle.dumps(runs[1][0])), runs[1][1])
        for strategy, ctx in runs:
            quotes(strategy, ctx, bid_size, ask_size)
            tick(strategy, ctx, seconds=10)
            if ctx.open_orders:
                ctx.fill(100.0)

    assert runs[1][1].asked == runs[0][1].asked
    assert [side for side, _ in runs[0][1].asked] == ["buy", "sell", "sell", "buy"]
