import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_makers import a_quote, a_trade, accepted, an_id

from desk.matching import Matcher
from desk.model.orders import OrderEvent, Report
from desk.model.ticks import Quote, Tick


def a_matcher(*orders: OrderEvent, slippage_bps: float = 0.0, fee_per_share: float = 0.0) -> Matcher:
    matcher = Matcher(slippage_bps, fee_per_share)
    for order in orders:
        matcher.open(order, now_ns=0)
    return matcher


def play(matcher: Matcher, *ticks: Tick) -> list[Report]:
    reports: list[Report] = []
    for tick in ticks:
        reports += matcher.on_quote(tick) if isinstance(tick, Quote) else matcher.on_trade(tick)
    return reports


def brief(reports: list[Report]) -> list[tuple[Any, ...]]:
    return [(report.status, report.quantity, report.price) for report in reports]


def test_a_market_order_fills_on_the_other_side_of_the_next_quote_worsened_by_slippage() -> None:
    buy, sell = accepted(1), accepted(2, side="sell")
    matcher = a_matcher(buy, sell, slippage_bps=10.0, fee_per_share=0.01)

    reports = play(matcher, a_quote(1, bid=100.0, ask=200.0))

    assert brief(reports) == [("filled", 100.0, pytest.approx(200.2)), ("filled", 100.0, pytest.approx(99.9))]
    assert [report.fee for report in reports] == [1.0, 1.0]
    assert matcher.empty


def test_each_quote_fills_no_more_than_it_shows() -> None:
    matcher = a_matcher(accepted())

    reports = play(matcher, a_quote(1, ask_size=60.0), a_quote(2, ask=102.0, ask_size=60.0))

    assert brief(reports) == [("partially_filled", 60.0, 101.0), ("filled", 40.0, 102.0)]
    assert [report.number for report in reports] == [1, 2]


def test_the_size_of_a_quote_is_shared_in_order_of_opening() -> None:
    matcher = a_matcher(accepted(1), accepted(2))

    reports = play(matcher, a_quote(1, ask_size=150.0))

    assert [(report.client_order_id, report.quantity) for report in reports] == [(an_id(1), 100.0), (an_id(2), 50.0)]


def test_the_size_of_a_trade_is_shared_by_both_sides() -> None:
    matcher = a_matcher(accepted(1), accepted(2, side="sell"))

    reports = play(matcher, a_trade(1, size=150.0))

    assert brief(reports) == [("filled", 100.0, 100.0), ("partially_filled", 50.0, 100.0)]


def test_a_market_order_takes_trades_only_until_a_usable_quote_came() -> None:
    matcher = a_matcher(accepted())

    reports = play(matcher, a_trade(1, size=30.0), a_quote(2, ask_size=50.0), a_trade(3), a_quote(4))

    assert brief(reports) == [
        ("partially_filled", 30.0, 100.0),
        ("partially_filled", 50.0, 101.0),
        ("filled", 20.0, 101.0),
    ]


@pytest.mark.parametrize(
    "unusable",
    [a_quote(1, bid=101.0), a_quote(1, bid=102.0), a_quote(1, bid_size=0.0), a_quote(1, ask=float("nan"))],
    ids=["locked", "crossed", "no bid", "no price"],
)
def test_an_unusable_quote_fills_nothing_and_counts_as_none(unusable: Quote) -> None:
    matcher = a_matcher(accepted(tif="ioc"))

    reports = play(matcher, unusable, a_trade(2))

    assert brief(reports) == [("filled", 100.0, 100.0)]


def test_a_trade_that_cannot_set_prices_fills_and_triggers_nothing() -> None:
    matcher = a_matcher(accepted(1), accepted(2, kind="stop", stop_price=90.0))

    reports = play(matcher, a_trade(1, conditions="W"), a_trade(2, conditions="I"))

    assert reports == []
    assert [order.waiting for order in matcher.orders] == [False, True]


def test_a_tick_from_before_the_opening_fills_nothing() -> None:
    matcher = Matcher()
    play(matcher, a_quote(7))
    matcher.open(accepted(), now_ns=7)

    reports = play(matcher, a_quote(7), a_trade(6))

    assert reports == []


def test_a_limit_order_fills_at_the_quote_when_that_is_better() -> None:
    matcher = a_matcher(accepted(kind="limit", limit_price=101.5), slippage_bps=50.0)

    reports = play(matcher, a_quote(1, ask=102.0), a_quote(2, ask=101.0))

    assert brief(reports) == [("filled", 100.0, 101.0)]


@pytest.mark.parametrize(("side", "at", "through"), [("buy", 100.0, 99.99), ("sell", 100.0, 100.01)])
def test_a_limit_order_fills_at_its_limit_only_when_a_trade_prints_through_it(
    side: str, at: float, through: float
) -> None:
    matcher = a_matcher(accepted(side=side, kind="limit", limit_price=100.0))

    reports = play(matcher, a_trade(1, at), a_trade(2, through, size=40.0))

    assert brief(reports) == [("partially_filled", 40.0, 100.0)]


@pytest.mark.parametrize(("side", "before", "trigger"), [("buy", 104.99, 105.0), ("sell", 105.01, 105.0)])
def test_a_stop_is_triggered_by_a_trade_and_fills_from_the_next_tick(side: str, before: float, trigger: float) -> None:
    matcher = a_matcher(accepted(side=side, kind="stop", stop_price=105.0))

    quiet = play(matcher, a_trade(1, before), a_quote(2, bid=120.0, ask=130.0), a_trade(3, trigger))
    reports = play(matcher, a_quote(4, bid=105.0, ask=106.0))

    assert quiet == []
    assert brief(reports) == [("filled", 100.0, 106.0 if side == "buy" else 105.0)]


def test_a_triggered_stop_limit_keeps_its_limit() -> None:
    matcher = a_matcher(accepted(kind="stop_limit", stop_price=105.0, limit_price=105.5))

    reports = play(matcher, a_trade(1, 105.0), a_quote(2, bid=105.0, ask=106.0), a_quote(3, bid=105.0, ask=105.5))

    assert brief(reports) == [("filled", 100.0, 105.5)]


def test_an_ioc_order_is_canceled_after_its_first_usable_tick() -> None:
    matcher = a_matcher(accepted(1, tif="ioc"), accepted(2, kind="limit", limit_price=90.0, tif="ioc"))

    reports = play(matcher, a_quote(1, ask_size=60.0))

    assert brief(reports) == [("partially_filled", 60.0, 101.0), ("canceled", 0.0, 0.0), ("canceled", 0.0, 0.0)]
    assert {report.reason for report in reports[1:]} == {"ioc"}
    assert matcher.empty


def test_an_ioc_stop_waits_for_its_trigger() -> None:
    matcher = a_matcher(accepted(kind="stop", stop_price=105.0, tif="ioc"))

    play(matcher, a_quote(1), a_trade(2), a_trade(3, 105.0))

    assert not matcher.empty


def test_a_cancel_takes_back_what_is_left_once() -> None:
    matcher = a_matcher(accepted())
    play(matcher, a_quote(1, ask_size=60.0))

    first, second = matcher.cancel(an_id(), 5), matcher.cancel(an_id(), 6)

    assert [(report.status, report.number, report.ts_ns) for report in first] == [("canceled", 2, 5)]
    assert second == []
    assert matcher.empty


def test_day_orders_end_with_the_session_and_gtc_orders_stay() -> None:
    matcher = a_matcher(accepted(1), accepted(2, tif="gtc", kind="limit", limit_price=1.0))

    reports = matcher.expire(9)

    assert [(report.client_order_id, report.status) for report in reports] == [(an_id(1), "expired")]
    assert [order.client_order_id for order in matcher.orders] == [an_id(2)]


def test_an_order_opens_once() -> None:
    matcher = a_matcher(accepted(), accepted())

    reports = play(matcher, a_quote(1))

    assert len(reports) == 1


def test_a_fill_is_not_dated_before_the_order() -> None:
    matcher = Matcher()
    matcher.open(accepted(), now_ns=50)

    reports = play(matcher, a_quote(1))

    assert reports[0].ts_ns == 50


sizes = st.sampled_from([0.0, 0.1, 10.0, 70.0, 100.0, 1000.0])
prices = st.integers(98, 103).map(float)
quotes = st.builds(lambda bid, ask, bid_size, ask_size: (bid, ask, bid_size, ask_size), prices, prices, sizes, sizes)
trades = st.tuples(prices, sizes, st.sampled_from(["", "@", "I", "W"]))
orders = st.fixed_dictionaries(
    {
        "side": st.sampled_from(["buy", "sell"]),
        "kind": st.sampled_from(["market", "limit", "stop", "stop_limit"]),
        "tif": st.sampled_from(["day", "gtc", "ioc"]),
        "quantity": st.sampled_from([0.3, 50.0, 120.0]),
        "price": prices,
    }
)
steps = st.lists(st.one_of(quotes, trades, orders), max_size=40)


def an_order(number: int, drawn: dict[str, Any]) -> OrderEvent:
    price = drawn.pop("price")
    limit = price if "limit" in drawn["kind"] else None
    stop = price if "stop" in drawn["kind"] else None
    return accepted(number, limit_price=limit, stop_price=stop, **drawn)


def a_history(drawn: list[Any]) -> list[Tick | OrderEvent]:
    history: list[Tick | OrderEvent] = []
    for at, step in enumerate(drawn, start=1):
        if isinstance(step, dict):
            history.append(an_order(at, dict(step)))
        elif len(step) == 4:
            history.append(a_quote(at, *step))
        else:
            history.append(a_trade(at, *step))
    return history


def advance(matcher: Matcher, step: Tick | OrderEvent) -> list[Report]:
    if isinstance(step, OrderEvent):
        matcher.open(step, step.number)
        return []
    return play(matcher, step)


@given(steps)
def test_no_tick_fills_more_than_its_size_and_no_order_more_than_its_quantity_or_beyond_its_limit(
    drawn: list[Any],
) -> None:
    history = a_history(drawn)
    matcher = Matcher(slippage_bps=5.0)
    events = {step.client_order_id: step for step in history if isinstance(step, OrderEvent)}
    filled: dict[str, float] = dict.fromkeys(events, 0.0)
    numbers: dict[str, int] = dict.fromkeys(events, 0)

    for step in history:
        reports = advance(matcher, step)
        taken = {"buy": 0.0, "sell": 0.0}
        for report in reports:
            event = events[report.client_order_id]
            taken[event.side] += report.quantity
            filled[report.client_order_id] += report.quantity
            numbers[report.client_order_id] += 1
            assert report.number == numbers[report.client_order_id]
            if report.quantity and event.limit_price is not None:
                assert report.price <= event.limit_price if event.side == "buy" else report.price >= event.limit_price
        if isinstance(step, Quote):
            assert taken["buy"] <= step.ask_size + 1e-9
            assert taken["sell"] <= step.bid_size + 1e-9
        elif not isinstance(step, OrderEvent):
            assert taken["buy"] + taken["sell"] <= step.size + 1e-9

    assert all(filled[which] <= events[which].quantity + 1e-9 for which in events)


@given(steps, st.integers(0, 40))
def test_a_matcher_restored_from_a_checkpoint_goes_on_as_if_nothing_had_happened(drawn: list[Any], cut: int) -> None:
    history = a_history(drawn)
    straight = Matcher(slippage_bps=5.0)
    expected = [report for step in history for report in advance(straight, step)]

    matcher = Matcher(slippage_bps=5.0)
    reports = [report for step in history[:cut] for report in advance(matcher, step)]
    matcher = msgspec.msgpack.decode(msgspec.msgpack.encode(matcher), type=Matcher)
    matcher = pickle.loads(pickle.dumps(matcher))
    reports += [report for step in history[cut:] for report in advance(matcher, step)]

    assert reports == expected
    assert matcher == straight
