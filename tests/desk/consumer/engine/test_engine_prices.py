"""The prices that a shard uses, and the items that make it forget a quote."""

import pytest
from engine_parts import (
    QueuedEngine,
    a_fill,
    a_quote,
    a_trade,
    a_watch,
    an_engine,
    an_entry,
    an_event,
    at,
    instance_of,
    intents_of,
    mark,
    strategy_calling,
)

from desk.model.items import GapItem, Item, QuotesLost, Unwatch
from desk.model.ticks import Trade

HELD = a_quote(2, 2, bid=99.0, ask=101.0)


def holding(*items: Item) -> QueuedEngine:
    """An engine whose strategy holds two shares of A, after these items."""
    engine = an_engine(an_entry(strategy_calling(lambda ctx: ctx.buy(2) if not ctx.position.quantity else None)))
    engine.apply([a_watch(), mark(1)])
    engine.apply([a_fill(intents_of(engine)[0], 1), *items])
    return engine


def test_what_is_held_is_worth_the_reference_price() -> None:
    average = Trade(3, "A", at(3), 0, 60.0, 100.0, "W")
    late = a_trade(4, 1, price=90.0)

    engine = holding(a_trade(1, 2, price=100.0), HELD, average, late)

    assert engine.prices() == {"A": 100.0}


def test_what_has_no_reference_price_is_not_priced() -> None:
    assert holding(Trade(3, "A", at(3), 0, 60.0, 100.0, "W")).prices() == {}


@pytest.mark.parametrize(
    "lost",
    [
        GapItem(at(2), at(3), "away"),
        GapItem(at(2), at(3), "away", symbols=["A"]),
        QuotesLost("A", 7),
        Unwatch("A", at(1)),
    ],
    ids=["a gap", "a gap of the symbol", "quotes stopped", "no subscription"],
)
def test_a_stale_quote_holds_no_price_and_fills_nothing(lost: Item) -> None:
    engine = holding(a_trade(1, 2, price=110.0), HELD)
    before = engine.prices()

    engine.apply([lost])
    instance_of(engine).buy(3)
    intent = intents_of(engine)[0]
    engine.apply([an_event(intent, 2, simulated=True)])

    assert before == {"A": 101.0}
    assert engine.prices() == {"A": 110.0}
    assert intent.reference_price == 110.0
    assert not engine.take_request().reports


@pytest.mark.parametrize(
    "other", [GapItem(at(2), at(3), "away", symbols=["B"]), QuotesLost("B", 7), QuotesLost("unknown", 7)], ids=str
)
def test_what_other_symbols_lost_changes_nothing(other: Item) -> None:
    engine = holding(a_trade(1, 2, price=110.0), HELD, a_watch("B", 1))

    engine.apply([other])

    assert engine.prices() == {"A": 101.0}


def test_the_next_quote_holds_the_price_again_though_the_loss_is_reported_again() -> None:
    gap, stopped = GapItem(at(2), at(3), "away"), QuotesLost("A", 7)
    engine = holding(a_trade(1, 2, price=110.0), HELD, gap, stopped)

    engine.apply([a_quote(3, 4, bid=104.0, ask=105.0), gap, stopped])

    assert engine.prices() == {"A": 105.0}


def test_an_order_that_follows_another_finds_what_that_left_of_the_quote() -> None:
    engine = an_engine(an_entry(strategy_calling(lambda ctx: None)))
    engine.apply([a_watch(), a_quote(1, 0, bid=99.0, ask=101.0), mark(1)])
    ctx = instance_of(engine)
    ctx.buy(500)
    ctx.buy(1)
    first, second = intents_of(engine)

    engine.apply([an_event(first, 1, simulated=True)])
    (report,) = engine.take_request().reports
    engine.apply([a_fill(first, 2, price=101.0), an_event(second, 3, simulated=True)])
    successor = an_engine(an_entry(strategy_calling(lambda ctx: None)))
    successor.restore(engine.snapshot(), [])

    for each in (engine, successor):
        assert not each.take_request().reports
        each.apply([a_quote(2, 2, bid=99.0, ask=102.0)])
        assert [(one.quantity, one.price) for one in each.take_request().reports] == [(1.0, 102.0)]
    assert (report.quantity, report.price) == (500.0, 101.0)
