"""The reference price of a symbol: which ticks set it and which do not."""

import pickle
from collections.abc import Iterable
from math import inf, nan

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_makers import a_quote, a_trade

from desk.bars.reference_price import MAX_SPREAD, Pricing, is_eligible_print, is_usable, usable_rows
from desk.bars.sale_conditions import CONDITIONS, eligibility
from desk.model.ticks import Quote, Tick, Trade


def a_print(ordinal: int, price: float, at_ns: int | None = None, conditions: str = "@", size: float = 100.0) -> Trade:
    return Trade(ordinal, "X", ordinal if at_ns is None else at_ns, 0, price, size, conditions)


def a_book(ordinal: int, bid: float, ask: float, at_ns: int | None = None) -> Quote:
    return Quote(ordinal, "X", ordinal if at_ns is None else at_ns, 0, bid, 100.0, ask, 100.0)


def priced(ticks: Iterable[Tick]) -> Pricing:
    pricing = Pricing()
    for tick in ticks:
        pricing.on_quote(tick) if isinstance(tick, Quote) else pricing.on_trade(tick)
    return pricing


@pytest.mark.parametrize("letter", CONDITIONS)
def test_a_print_may_set_the_price_if_it_may_set_a_minutes_close(letter: str) -> None:
    assert is_eligible_print(a_print(1, 10.0, conditions=letter)) == eligibility(letter).open_close


@pytest.mark.parametrize(
    "trade",
    [a_trade(1, size=0.0), a_trade(1, size=-1.0), a_trade(1, 0.0), a_trade(1, -5.0), a_trade(1, inf), a_trade(1, nan)],
)
def test_a_print_without_shares_or_price_sets_none(trade: Trade) -> None:
    assert not is_eligible_print(trade)


@pytest.mark.parametrize(
    ("quote", "usable"),
    [
        (a_quote(1, 100.0, 100.02), True),
        (a_quote(1, 100.0, 100.0), True),
        (a_quote(1, 95.0, 105.0), True),
        (a_quote(1, 94.9, 105.0), False),
        (a_quote(1, 100.02, 100.0), False),
        (a_quote(1, 0.0, 100.0), False),
        (a_quote(1, -1.0, 100.0), False),
        (a_quote(1, 100.0, inf), False),
        (a_quote(1, nan, 100.0), False),
        (a_quote(1, 100.0, nan), False),
        (a_quote(1, 100.0, 100.02, bid_size=0.0), False),
        (a_quote(1, 100.0, 100.02, ask_size=0.0), False),
        (a_quote(1, 1.7e308, 1.7e308), True),
    ],
)
def test_a_quote_is_usable_if_both_sides_can_be_valid_prices(quote: Quote, usable: bool) -> None:
    assert is_usable(quote) == usable


@pytest.mark.parametrize(
    ("ticks", "price"),
    [
        ([], None),
        ([a_book(1, 99.0, 101.0)], 100.0),
        ([a_print(1, 100.5)], 100.5),
        ([a_print(1, 100.5), a_book(2, 99.0, 101.0)], 100.5),
        ([a_print(1, 105.0), a_book(2, 99.0, 101.0)], 101.0),
        ([a_print(1, 95.0), a_book(2, 99.0, 101.0)], 99.0),
        ([a_book(1, 99.0, 101.0), a_print(2, 60.0, conditions="W")], 100.0),
        ([a_print(1, 100.0), a_print(2, 60.0, conditions="W"), a_print(3, 70.0, conditions="I")], 100.0),
        ([a_print(1, 100.0), a_print(2, 250.0, size=0.0)], 100.0),
        ([a_print(1, 100.0, at_ns=50), a_print(2, 90.0, at_ns=40)], 100.0),
        ([a_print(1, 100.0, at_ns=50), a_print(2, 90.0, at_ns=50)], 90.0),
        ([a_print(1, 100.0), a_book(2, 99.0, 101.0), a_book(3, 103.0, 102.0)], 100.0),
        ([a_print(1, 110.0), a_book(2, 99.0, 101.0), a_book(3, 103.0, 102.0)], 101.0),
        ([a_print(1, 110.0), a_book(2, 99.0, 101.0, at_ns=50), a_book(3, 104.0, 105.0, at_ns=40)], 101.0),
        ([a_book(1, 50.0, 150.0)], None),
    ],
)
def test_the_reference_price_is_the_newest_valid_print_held_within_the_newest_usable_quote(
    ticks: list[Tick], price: float | None
) -> None:
    assert priced(ticks).price == price


def test_the_standing_quote_is_the_newest_one_if_it_is_usable() -> None:
    pricing = priced([a_book(1, 99.0, 101.0, at_ns=10)])
    usable = pricing.standing

    pricing.on_quote(a_book(2, 98.0, 100.0, at_ns=5))
    late = pricing.standing
    pricing.on_quote(a_book(3, 102.0, 101.0, at_ns=20))
    crossed = pricing.standing
    pricing.on_quote(a_book(4, 98.0, 100.0, at_ns=15))

    assert (usable, late, crossed) == (a_book(1, 99.0, 101.0, at_ns=10),) * 2 + (None,)
    assert pricing.standing is None
    assert pricing.usable == a_book(4, 98.0, 100.0, at_ns=15)


def test_quotes_that_were_cleared_hold_nothing_nor_do_older_ones() -> None:
    pricing = priced([a_print(1, 110.0), a_book(2, 99.0, 101.0, at_ns=50)])

    pricing.clear_quotes()
    pricing.on_quote(a_book(3, 98.0, 100.0, at_ns=49))
    cleared = (pricing.price, pricing.standing)
    pricing.on_quote(a_book(4, 104.0, 105.0, at_ns=51))

    assert cleared == (110.0, None)
    assert pricing.price == 105.0


def test_quotes_are_taken_back_once_for_each_time_at_which_some_went_missing() -> None:
    pricing = priced([a_book(1, 99.0, 101.0)])
    pricing.unquote(7)
    pricing.on_quote(a_book(2, 99.0, 101.0))

    pricing.unquote(7)
    again = pricing.price
    pricing.unquote(8)

    assert again == 100.0
    assert pricing.price is None


sides = st.sampled_from([0.0, 9.0, 9.5, 10.0, 10.02, 10.5, 11.0, nan, inf]) | st.floats(0.01, 1e6)
sizes = st.sampled_from([0.0, 100.0])
times = st.integers(0, 5)
made_quotes = st.tuples(times, sides, sizes, sides, sizes)
made_trades = st.tuples(times, sides, sizes, st.sampled_from(["", "@", "I", "W", "M", "Z", "TI"]))
made_ticks = st.lists(made_quotes | made_trades, max_size=30).map(
    lambda rows: [
        Quote(n, "X", row[0], 0, *row[1:]) if len(row) == 5 else Trade(n, "X", row[0], 0, *row[1:])
        for n, row in enumerate(rows)
    ]
)


def the_naive_price(ticks: list[Tick]) -> float | None:
    """The rule as it is written: everything looked at, everything sorted."""
    prints = [t for t in ticks if isinstance(t, Trade) and eligibility(t.conditions).open_close]
    prints = [t for t in prints if t.size > 0 and t.price > 0 and t.price < inf]
    quotes = [q for q in ticks if isinstance(q, Quote) and q.bid > 0 and q.ask < inf and q.bid <= q.ask]
    quotes = [q for q in quotes if q.bid_size > 0 and q.ask_size > 0]
    quotes = [q for q in quotes if q.ask - q.bid <= MAX_SPREAD / 2 * (q.bid + q.ask)]
    prints.sort(key=lambda t: (t.ts_ns, t.ordinal))
    quotes.sort(key=lambda q: (q.ts_ns, q.ordinal))
    if prints and quotes:
        return sorted([quotes[-1].bid, prints[-1].price, quotes[-1].ask])[1]
    if prints:
        return prints[-1].price
    return quotes[-1].bid / 2 + quotes[-1].ask / 2 if quotes else None


@given(made_ticks)
def test_the_price_is_that_of_the_rule_for_any_ticks(ticks: list[Tick]) -> None:
    assert priced(ticks).price == the_naive_price(ticks)


@given(made_ticks, st.integers(0, 30))
def test_a_price_is_the_same_after_a_restart_at_any_tick(ticks: list[Tick], cut: int) -> None:
    pricing = priced(ticks[:cut])
    pricing = msgspec.msgpack.decode(msgspec.msgpack.encode(pricing), type=Pricing)
    pricing = pickle.loads(pickle.dumps(pricing))
    for tick in ticks[cut:]:
        pricing.on_quote(tick) if isinstance(tick, Quote) else pricing.on_trade(tick)

    straight = priced(ticks)
    assert (pricing.price, repr(pricing.standing)) == (straight.price, repr(straight.standing))


@given(st.lists(st.tuples(sides, sizes, sides, sizes), max_size=20))
def test_columns_of_quotes_are_judged_as_each_quote_is(rows: list[tuple[float, ...]]) -> None:
    columns = np.array(rows, np.float64).reshape(len(rows), 4).T

    usable = usable_rows(*columns)

    assert usable.tolist() == [is_usable(Quote(1, "X", 0, 0, *row)) for row in rows]
