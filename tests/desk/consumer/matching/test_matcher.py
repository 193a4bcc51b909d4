"""Properties of matching for any orders in any market. The rules are in test_matching_rules.py."""

import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_makers import a_quote, a_trade, accepted, an_id

from desk.bars.reference_price import Pricing
from desk.consumer.matching import Matcher, MatchingRules
from desk.model.hours import TradingDay
from desk.model.orders import OrderEvent, Report
from desk.model.ticks import Quote, Tick, Trade


class Venue:
    """One symbol's matcher with its pricing: takes what a shard gives them, and can be restored from bytes."""

    def __init__(self, **rules: Any) -> None:
        self.matcher = Matcher(MatchingRules(**rules))
        self.pricing = Pricing()

    def open(self, *orders: OrderEvent, now_ns: int = 0) -> list[Report]:
        return [report for order in orders for report in self.matcher.open(order, now_ns, self.pricing)]

    def play(self, *ticks: Tick) -> list[Report]:
        reports: list[Report] = []
        for tick in ticks:
            if isinstance(tick, Quote):
                self.pricing.on_quote(tick)
                reports += self.matcher.on_quote(tick, self.pricing)
            else:
                self.pricing.on_trade(tick)
                reports += self.matcher.on_trade(tick, self.pricing)
        return reports

    def restart(self) -> None:
        encoded = msgspec.msgpack.encode((self.matcher, self.pricing))
        restored = msgspec.msgpack.decode(encoded, type=tuple[Matcher, Pricing])
        self.matcher, self.pricing = pickle.loads(pickle.dumps(restored))


def brief(reports: list[Report]) -> list[tuple[Any, ...]]:
    return [(report.status, report.quantity, report.price) for report in reports]


def test_a_fill_bears_its_fee_and_the_number_of_its_report() -> None:
    venue = Venue(fee_per_share=0.01)
    venue.open(accepted())

    reports = venue.play(a_quote(1, ask_size=60.0), a_quote(2))

    assert [(report.number, report.status, report.fee) for report in reports] == [
        (1, "partially_filled", 0.6),
        (2, "filled", 0.4),
    ]
    assert venue.matcher.empty


def test_a_repeated_tick_changes_nothing() -> None:
    venue = Venue()
    venue.open(accepted())

    reports = venue.play(a_trade(7, size=60.0), a_trade(7, size=60.0), a_trade(6))

    assert brief(reports) == [("partially_filled", 60.0, 100.0)]


def test_a_cancel_takes_back_what_is_left_once() -> None:
    venue = Venue()
    venue.open(accepted())
    venue.play(a_quote(1, ask_size=60.0))

    first, second = venue.matcher.cancel(an_id(), 5), venue.matcher.cancel(an_id(), 6)

    assert [(report.status, report.number, report.ts_ns) for report in first] == [("canceled", 2, 5)]
    assert second == []
    assert venue.matcher.empty


def test_an_order_opens_once() -> None:
    venue = Venue()
    venue.play(a_quote(1, ask_size=40.0))

    reports = venue.open(accepted(), accepted())

    assert brief(reports) == [("partially_filled", 40.0, 101.0)]


@pytest.mark.parametrize("delay_ns", [0, 60])
def test_a_fill_is_dated_in_session_time_and_never_before_the_order(delay_ns: int) -> None:
    venue = Venue(delay_ns=delay_ns)
    venue.open(accepted(1), now_ns=50)

    reports = venue.play(a_trade(50))

    assert [report.ts_ns for report in reports] == [50 + delay_ns]


def test_a_matcher_is_kept_while_its_orders_have_taken_of_the_standing_quote() -> None:
    venue = Venue()
    venue.play(a_quote(1, ask_size=100.0))
    venue.open(accepted(), now_ns=5)

    kept = venue.matcher.is_idle(venue.pricing)
    venue.play(a_quote(9))

    assert not kept
    assert venue.matcher.is_idle(venue.pricing)


DAY = TradingDay(start_ns=5, open_ns=12, close_ns=30, end_ns=40)
sizes = st.sampled_from([0.0, 0.1, 10.0, 70.0, 100.0, 1000.0])
prices = st.integers(98, 103).map(float)
lateness = st.sampled_from([0, 0, 0, 1, 3, 10])
quotes = st.tuples(st.just("quote"), lateness, prices, prices, sizes, sizes)
trades = st.tuples(st.just("trade"), lateness, prices, sizes, st.sampled_from(["", "@", "I", "W"]))
orders = st.fixed_dictionaries(
    {
        "side": st.sampled_from(["buy", "sell"]),
        "kind": st.sampled_from(["market", "limit", "stop", "stop_limit"]),
        "tif": st.sampled_from(["day", "gtc", "ioc"]),
        "quantity": st.sampled_from([0.3, 50.0, 120.0]),
        "price": prices,
        "extended_hours": st.booleans(),
    }
)
rare = st.sampled_from([("mark",), ("mark",), ("gap",), ("unquote",), ("cancel", 1), ("cancel", 3)])
steps = st.lists(st.one_of(quotes, trades, orders, orders, rare), max_size=45)
some_rules = st.fixed_dictionaries(
    {
        "slippage_bps": st.sampled_from([0.0, 5.0]),
        "delay_ns": st.sampled_from([0, 2]),
        "has_trades": st.booleans(),
        "hours": st.sampled_from([DAY, TradingDay(0, 0, 1 << 62, 1 << 62)]),
    }
)


def an_order(number: int, drawn: dict[str, Any]) -> OrderEvent:
    price = drawn.pop("price")
    limit = price if "limit" in drawn["kind"] else None
    stop = price if "stop" in drawn["kind"] else None
    if drawn["kind"] != "limit" or drawn["tif"] == "ioc":
        drawn["extended_hours"] = False
    return accepted(number, limit_price=limit, stop_price=stop, **drawn)


Happening = Tick | OrderEvent | tuple[Any, ...]


def a_history(drawn: list[Any]) -> list[Happening]:
    """Each step one ns after the one before; ticks are up to ten late."""
    history: list[Happening] = []
    for at, step in enumerate(drawn, start=1):
        if isinstance(step, dict):
            history.append(an_order(at, dict(step)))
        elif step[0] == "quote":
            _, late, bid, ask, bid_size, ask_size = step
            history.append(Quote(at, "X", at - late, at, bid, bid_size, ask, ask_size))
        elif step[0] == "trade":
            _, late, price, size, conditions = step
            history.append(Trade(at, "X", at - late, at, price, size, conditions))
        else:
            history.append((*step, at))
    return history


def advance(venue: Venue, step: Happening) -> list[Report]:
    if isinstance(step, OrderEvent):
        return venue.open(step, now_ns=step.number)
    if isinstance(step, Tick):
        return venue.play(step)
    match step:
        case ("mark", at):
            return venue.matcher.on_mark(at, venue.pricing)
        case ("cancel", number, at):
            return venue.matcher.cancel(an_id(number), at)
        case ("gap", _):
            venue.pricing.clear_quotes()
        case ("unquote", at):
            venue.pricing.unquote(at)
    return []


@given(steps, some_rules)
def test_no_order_fills_beyond_its_size_its_limit_or_its_time(drawn: list[Any], rules: dict[str, Any]) -> None:
    history = a_history(drawn)
    venue = Venue(**rules)
    events = {step.client_order_id: step for step in history if isinstance(step, OrderEvent)}
    filled: dict[str, float] = dict.fromkeys(events, 0.0)
    numbers: dict[str, int] = dict.fromkeys(events, 0)

    for step in history:
        for report in advance(venue, step):
            event = events[report.client_order_id]
            filled[report.client_order_id] += report.quantity
            numbers[report.client_order_id] += 1
            assert report.number == numbers[report.client_order_id]
            if report.quantity:
                at_ns = step.ts_ns + rules["delay_ns"] if isinstance(step, Tick) else event.number
                hours = rules["hours"]
                opens_ns, until_ns = (
                    (hours.start_ns, hours.end_ns) if event.extended_hours else (hours.open_ns, hours.close_ns)
                )
                assert report.ts_ns >= max(event.number, opens_ns)
                assert at_ns < until_ns
                if isinstance(step, Tick):
                    assert at_ns >= event.number
            if report.quantity and event.limit_price is not None:
                assert report.price <= event.limit_price if event.side == "buy" else report.price >= event.limit_price

    assert all(filled[which] <= events[which].quantity + 1e-9 for which in events)


@given(st.lists(st.one_of(trades, orders), max_size=40))
def test_no_print_gives_more_than_its_size(drawn: list[Any]) -> None:
    venue = Venue()

    for step in a_history(drawn):
        given_away = sum(report.quantity for report in advance(venue, step))

        assert given_away <= (step.size + 1e-9 if isinstance(step, Trade) else 0.0)


@given(st.lists(st.one_of(quotes, orders), max_size=40))
def test_no_quote_update_gives_more_than_it_shows_to_orders_before_and_after_it(drawn: list[Any]) -> None:
    history = a_history(drawn)
    venue = Venue()
    sides = {step.client_order_id: step.side for step in history if isinstance(step, OrderEvent)}
    given_away: dict[tuple[int, str], float] = {}

    for step in history:
        reports = advance(venue, step)
        quote = step if isinstance(step, Quote) else venue.pricing.standing
        for report in reports:
            side = sides[report.client_order_id]
            if report.quantity:
                assert quote is not None
                key = quote.ordinal, side
                given_away[key] = given_away.get(key, 0.0) + report.quantity
                assert given_away[key] <= (quote.ask_size if side == "buy" else quote.bid_size) + 1e-9


@given(steps, some_rules, st.integers(0, 45))
def test_a_matcher_restored_from_a_checkpoint_continues_as_if_nothing_had_happened(
    drawn: list[Any], rules: dict[str, Any], cut: int
) -> None:
    history = a_history(drawn)
    straight = Venue(**rules)
    expected = [report for step in history for report in advance(straight, step)]

    venue = Venue(**rules)
    reports = [report for step in history[:cut] for report in advance(venue, step)]
    venue.restart()
    reports += [report for step in history[cut:] for report in advance(venue, step)]

    assert reports == expected
    assert (venue.matcher, venue.pricing) == (straight.matcher, straight.pricing)
