import copy
import math
import pickle
from collections.abc import Callable
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Any, Never, Self

import msgspec
import numpy as np
import pytest
from engine_parts import (
    START_NS,
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

from desk.consumer.engine import Engine
from desk.consumer.engine.instance import Instance
from desk.model.orders import CancelIntent, Intent
from desk.model.ticks import Trade
from desk.strategy import Context, Position


def an_instance(*items: Any) -> tuple[Engine, Instance]:
    engine = an_engine(an_entry(strategy_calling(lambda ctx: None)))
    engine.apply([a_watch(), *items])
    return engine, instance_of(engine)


def test_intents_bear_the_decisions_own_number_time_age_and_price() -> None:
    engine, ctx = an_instance(a_trade(1, 0, price=12.5), mark(3, feed_lag_ns=40, lane_age_ns=2, degraded=True))

    ids = [ctx.buy(3), ctx.sell(2, limit=13.0, tif="ioc"), ctx.sell(1, stop=9.0), ctx.buy(4, limit=9.5, stop=9.0)]

    intents = intents_of(engine)
    assert [intent.client_order_id for intent in intents] == ids == [f"day-s-A-{number}" for number in (1, 2, 3, 4)]
    assert intents[0] == Intent(
        "day-s-A-1", "s", "A", 1, "buy", 3.0, at(3), 42, True, 12.5, "market", None, None, "day"
    )
    assert [(i.side, i.kind, i.limit_price, i.stop_price, i.tif) for i in intents[1:]] == [
        ("sell", "limit", 13.0, None, "ioc"),
        ("sell", "stop", None, 9.0, "day"),
        ("buy", "stop_limit", 9.5, 9.0, "day"),
    ]
    assert engine.audit.intents == 4


def test_intents_bear_the_reference_price_that_the_strategy_sees() -> None:
    engine, ctx = an_instance()
    seen = []

    for tick in (None, a_quote(1, bid=9.9, ask=10.1), a_trade(2, 0, price=10.05), a_trade(3, 0, price=10.5)):
        engine.apply([] if tick is None else [tick])
        seen.append(ctx.price)
        ctx.buy(1)

    assert seen == [None, 10.0, 10.05, 10.1]
    assert [intent.reference_price for intent in intents_of(engine)] == [0.0, 10.0, 10.05, 10.1]


def test_the_last_trade_and_quote_are_the_last_to_arrive_whatever_the_price() -> None:
    late = Trade(3, "A", at(1), 0, 60.0, 100.0, "W")
    _, ctx = an_instance(a_trade(1, 5, price=10.0), a_quote(2, 5, bid=11.0, ask=9.0), late)

    assert (ctx.trade, ctx.quote, ctx.price) == (late, a_quote(2, 5, bid=11.0, ask=9.0), 10.0)


def test_an_order_for_extended_hours_bears_that() -> None:
    engine, ctx = an_instance(mark(1))

    ctx.buy(1, limit=9.0, extended_hours=True)
    ctx.sell(1, limit=9.0, tif="gtc", extended_hours=True)
    ctx.sell(1, limit=9.0)

    assert [intent.extended_hours for intent in intents_of(engine)] == [True, True, False]


@pytest.mark.parametrize(
    "ask",
    [
        lambda ctx: ctx.buy(1, extended_hours=True),
        lambda ctx: ctx.sell(1, stop=9.0, extended_hours=True),
        lambda ctx: ctx.sell(1, stop=9.0, limit=9.0, extended_hours=True),
        lambda ctx: ctx.buy(1, limit=9.0, tif="ioc", extended_hours=True),
        lambda ctx: ctx.close(extended_hours=True),
    ],
)
def test_extended_hours_are_for_limit_orders_that_may_wait(ask: Callable[[Context], Any]) -> None:
    engine, ctx = an_instance(mark(1))
    ctx.buy(4)
    engine.apply([a_fill(intents_of(engine)[0], 1)])

    with pytest.raises(ValueError, match="extended_hours is for limit orders with tif day or gtc"):
        ask(ctx)  # type: ignore[arg-type]  # properties stand for its attributes

    assert not engine.take_request()
    assert ctx.open_orders == ()


def test_a_position_can_be_closed_with_a_limit_order_in_extended_hours() -> None:
    engine, ctx = an_instance(mark(1))
    ctx.buy(4)
    engine.apply([a_fill(intents_of(engine)[0], 1)])

    ids = {ctx.close(limit=9.5, extended_hours=True), ctx.close()}

    (intent,) = intents_of(engine)
    assert ids == {intent.client_order_id}
    assert (intent.side, intent.quantity, intent.kind) == ("sell", 4.0, "limit")
    assert (intent.limit_price, intent.tif, intent.extended_hours) == (9.5, "day", True)


@pytest.mark.parametrize(
    "ask",
    [
        lambda ctx: ctx.buy(0),
        lambda ctx: ctx.buy(-1),
        lambda ctx: ctx.sell(float("nan")),
        lambda ctx: ctx.sell(float("inf")),
        lambda ctx: ctx.buy(1, limit=0),
        lambda ctx: ctx.buy(1, stop=float("nan")),
        lambda ctx: ctx.buy(1, tif="fok"),
        lambda ctx: ctx.cancel("day-s-A-7"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_where_it_is_asked(ask: Callable[[Context], Any]) -> None:
    engine, ctx = an_instance()

    with pytest.raises(ValueError, match=r"positive finite|must be one of|no open order"):
        ask(ctx)  # type: ignore[arg-type]  # properties stand for its attributes

    assert not engine.take_request()
    assert ctx.open_orders == ()


class Raising(int):
    """A number whose every conversion and comparison raises."""

    def __float__(self) -> Never:
        raise RuntimeError("no float")

    __gt__ = __lt__ = __eq__ = __index__ = __int__ = __hash__ = __repr__ = __float__  # type: ignore[assignment]


class Fickle(int):
    """A number that is another one each time it is looked at."""

    def __new__(cls, *values: float) -> Self:
        made = super().__new__(cls, 1)
        made.values = list(values)
        return made

    values: list[float]

    def __float__(self) -> float:
        return self.values.pop(0)

    def __gt__(self, other: object) -> bool:
        return True


class Agreeing(str):
    """A text that is equal to everything."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash("day-s-A-1")


class Equal:
    """No text at all, and equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash("day-s-A-1")


ODD_NUMBERS: tuple[object, ...] = (
    *(True, np.True_, 10**400, -(10**400), "5", b"5", None, [5], np.array([5.0, 6.0]), np.complex64(3 + 4j), 5j),
    *(Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal(0), np.float64("nan"), np.float32("inf"), -0.0),
    *(np.int64(-5), Raising(5), Fickle(-5.0, 5.0, 5.0), Fickle(math.nan, 5.0), Equal(), object()),
)
PLAIN_NUMBERS: tuple[object, ...] = (
    *(5, 5.0, np.int8(5), np.uint64(5), np.float32(5), np.float64(5), np.array(5.0), Decimal(5), Fraction(5)),
    *(Fickle(5.0, -5.0, math.nan), IntEnum("Five", {"FIVE": 5}).FIVE),  # type: ignore[attr-defined]
)


def asked(ask: Callable[[Context], Any]) -> tuple[Engine, list[Intent]]:
    """An engine whose strategy asked once, by a hook, and what of it crosses to the broker."""
    engine = an_engine(an_entry(strategy_calling(ask)))
    engine.apply([a_watch(), a_trade(1, 0, price=9.0), mark(1)])
    sent = msgspec.msgpack.decode(msgspec.msgpack.encode(engine.take_request().intents), type=list[Intent])
    return engine, sent


@pytest.mark.parametrize("place", ["quantity", "limit", "stop"])
@pytest.mark.parametrize("number", range(len(ODD_NUMBERS)))
def test_an_odd_number_stops_its_strategy_by_name_and_sends_nothing(place: str, number: int) -> None:
    value = ODD_NUMBERS[number]
    if place != "quantity" and value is None:
        pytest.skip("no price is a market order")

    engine, sent = asked(lambda ctx: ctx.buy(**({"quantity": 1} | {place: copy.deepcopy(value)})))

    assert sent == []
    (fault,) = engine.audit.stopped
    assert (fault.strategy, fault.symbol, fault.hook) == ("s", "A", "on_second")


@pytest.mark.parametrize("place", ["quantity", "limit", "stop"])
@pytest.mark.parametrize("number", range(len(PLAIN_NUMBERS)))
def test_a_number_of_another_type_is_taken_as_the_plain_number(place: str, number: int) -> None:
    value = copy.deepcopy(PLAIN_NUMBERS[number])

    engine, (intent,) = asked(lambda ctx: ctx.buy(**({"quantity": 1} | {place: value})))

    assert engine.audit.stopped == []
    assert {"quantity": intent.quantity, "limit": intent.limit_price, "stop": intent.stop_price}[place] == 5.0


@pytest.mark.parametrize("tif", [Agreeing("fok"), Equal(), None, ["day"], "DAY"])
def test_an_odd_time_in_force_stops_its_strategy_by_name(tif: Any) -> None:
    engine, sent = asked(lambda ctx: ctx.buy(1, tif=tif))

    assert sent == []
    assert [fault.hook for fault in engine.audit.stopped] == ["on_second"]


@pytest.mark.parametrize("order", [Agreeing("day-s-A-7"), Equal(), None, ["day-s-A-1"]])
def test_an_odd_order_id_stops_its_strategy_by_name(order: Any) -> None:
    def ask(ctx: Context) -> None:
        ctx.buy(1)
        ctx.cancel(order)

    engine, _ = asked(ask)

    assert [fault.hook for fault in engine.audit.stopped] == ["on_second"]


def test_a_text_of_another_type_is_taken_as_the_plain_text() -> None:
    engine, ctx = an_instance(mark(1))

    ctx.buy(1, limit=9.0, tif=Agreeing("gtc"), extended_hours=np.True_)  # type: ignore[arg-type]
    ctx.cancel(Agreeing("day-s-A-1"))

    intent, cancel = engine.take_request().intents
    assert isinstance(intent, Intent)
    assert [type(text) for text in (intent.tif, cancel.client_order_id)] == [str, str]
    assert (intent.tif, intent.extended_hours, cancel.client_order_id) == ("gtc", True, "day-s-A-1")


def test_numbers_out_of_numpy_columns_can_be_sent() -> None:
    engine, ctx = an_instance(mark(1))

    ctx.buy(np.float64(3), limit=np.float64(9.5), stop=np.float32(9.25))  # type: ignore[arg-type]
    ctx.sell(np.int64(2))  # type: ignore[arg-type]

    sent = msgspec.msgpack.decode(msgspec.msgpack.encode(engine.take_request().intents), type=list[Intent])
    assert [(intent.quantity, intent.limit_price, intent.stop_price) for intent in sent] == [
        (3.0, 9.5, 9.25),
        (2.0, None, None),
    ]


def test_fills_through_the_lane_change_position_and_open_orders() -> None:
    engine, ctx = an_instance(mark(1))
    order = ctx.buy(4)
    intent = intents_of(engine)[0]

    engine.apply([an_event(intent, 1)])
    engine.apply([an_event(intent, 2, "partially_filled", filled=1.0, fill_quantity=1.0, fill_price=10.0, fee=0.5)])
    part, still_open = ctx.position, ctx.open_orders
    engine.apply([a_fill(intent, 3, price=14.0, fill_quantity=3.0)])

    assert (part, still_open) == (Position(1.0, 10.0, 0.0, 0.5), (order,))
    assert (ctx.position, ctx.open_orders) == (Position(4.0, 13.0, 0.0, 0.5), ())


def test_only_the_instance_that_asked_is_filled() -> None:
    engine = an_engine(
        an_entry(strategy_calling(lambda ctx: ctx.buy(1)), "a"), an_entry(strategy_calling(lambda ctx: None), "b")
    )
    engine.apply([a_watch(), mark(1)])

    engine.apply([a_fill(intents_of(engine)[0], 1)])

    assert [instance_of(engine, name=name).position.quantity for name in "ab"] == [1.0, 0.0]


@pytest.mark.parametrize(("side", "back"), [("buy", "sell"), ("sell", "buy")])
def test_close_flattens_once_and_repeats_itself_until_that_order_is_done(side: str, back: str) -> None:
    engine, ctx = an_instance(mark(1))
    assert ctx.close() is None
    getattr(ctx, side)(4)
    engine.apply([a_fill(intents_of(engine)[0], 1)])

    ids = {ctx.close(), ctx.close()}
    intents = intents_of(engine)
    engine.apply([an_event(intents[0], 2, "refused")])
    again = ctx.close()
    engine.apply([a_fill(intents_of(engine)[0], 3)])

    assert [(intent.side, intent.quantity) for intent in intents] == [(back, 4.0)]
    assert ids == {intents[0].client_order_id}
    assert again == "day-s-A-3"
    assert ctx.close() is None


def test_a_cancel_is_requested_by_the_orders_id() -> None:
    engine, ctx = an_instance(mark(2))
    order = ctx.buy(1, limit=5.0)

    ctx.cancel(order)

    assert engine.take_request().intents[1:] == [CancelIntent(order, "s", "A", at(2))]


def test_the_context_shows_the_last_marks_time_and_age() -> None:
    engine, ctx = an_instance()
    start = (ctx.now_ns, ctx.age_ns, ctx.degraded)

    engine.apply([a_trade(1, 0), a_quote(2), mark(7, feed_lag_ns=5, lane_age_ns=6, degraded=True), a_trade(3, 7)])

    assert start == (START_NS, 0, False)
    assert (ctx.symbol, ctx.now_ns, ctx.age_ns, ctx.degraded) == ("A", at(7), 11, True)
    assert ctx.session_start_ns == START_NS
    assert (ctx.trade, ctx.quote) == (a_trade(3, 7), a_quote(2))
    assert ctx.warm


def test_chance_depends_on_session_strategy_and_symbol_alone() -> None:
    drawn: dict[tuple[str, str], list[float]] = {}

    def draw(name: str) -> Callable[[Context], None]:
        return lambda ctx: drawn.setdefault((name, ctx.symbol), []).append(ctx.rng.random())

    both = an_engine(an_entry(strategy_calling(draw("x")), "x"), an_entry(strategy_calling(draw("y")), "y"))
    both.apply([a_watch("B"), a_watch("A"), mark(1), mark(2)])
    together, drawn = drawn, {}
    alone = an_engine(an_entry(strategy_calling(draw("y")), "y"))
    alone.apply([a_watch("A"), mark(1), mark(2)])

    assert drawn["y", "A"] == together["y", "A"]
    assert len({value for values in together.values() for value in values}) == 8


def test_chance_is_the_same_whatever_the_hash_seed() -> None:
    _, ctx = an_instance()

    # What random.Random("day/s/A") gives: text seeds go through SHA-512, not through hash().
    assert ctx.rng.random() == 0.2904968512051108


def test_a_context_is_not_to_be_kept() -> None:
    _, ctx = an_instance()

    with pytest.raises(TypeError, match="valid during a hook call only"):
        pickle.dumps(ctx)


@pytest.mark.parametrize(
    "name", ["symbol", "position", "now_ns", "trade", "quote", "price", "bars", "degraded", "warm"]
)
def test_what_a_strategy_sees_it_cannot_set(name: str) -> None:
    _, ctx = an_instance()

    with pytest.raises(AttributeError):
        setattr(ctx, name, None)
