"""Orders and the hours of the exchange day: shard, order manager and risk gate agree."""

from collections.abc import Sequence
from typing import Any

import pytest
from engine_parts import (
    IgnoringLedger,
    QueuedEngine,
    a_quote,
    a_watch,
    an_engine,
    an_entry,
    at,
    instance_of,
    mark,
    strategy_calling,
)

from desk.consumer.engine.instance import Instance
from desk.model.hours import TradingDay
from desk.model.items import Close, Item
from desk.model.orders import OrderEvent
from desk.orders import OrderManager
from desk.trading.risk_gate import RiskGate
from desk.trading.risk_limits import RiskLimits
from desk.venues.simulated import SimulatedVenue

HOURS = TradingDay(at(0), at(100), at(200), at(300))


class Desk:
    """One shard and the order manager, joined as lockstep joins them; `restart` restores the shard at every mark."""

    def __init__(self, *, restart: bool) -> None:
        self.engine = self._engine()
        self.manager = OrderManager("day", RiskGate(RiskLimits(), HOURS), IgnoringLedger(), SimulatedVenue())
        self.events: list[OrderEvent] = []
        self._restart = restart
        self.give(a_watch())

    @property
    def ctx(self) -> Instance:
        return instance_of(self.engine)

    def give(self, *items: Item) -> None:
        self.engine.apply(items)
        self.ask()

    def mark(self, second: float) -> None:
        self.give(a_quote(round(second), second - 0.5, bid=9.9, ask=10.1), mark(second))

    def ask(self) -> None:
        while events := self.manager.decide(self.engine.take_request()):
            self.events += events
            self.engine.apply(events)
        if self._restart:
            successor = self._engine()
            successor.restore(self.engine.snapshot(), [])
            self.engine = successor

    def story(self, number: int = 1) -> list[tuple[str, str]]:
        key = f"day-s-A-{number}"
        return [(event.status, event.reason) for event in self.events if event.client_order_id == key]

    def _engine(self) -> QueuedEngine:
        return an_engine(an_entry(strategy_calling(lambda ctx: None)), hours=HOURS)


@pytest.fixture(params=[False, True], ids=["undisturbed", "restarted at every mark"])
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(restart=request.param)


def test_an_order_sent_before_the_open_is_accepted_and_fills_at_the_open(desk: Desk) -> None:
    desk.mark(50)
    desk.ctx.buy(2)

    desk.mark(99)
    waiting = desk.story()
    desk.mark(100)

    assert waiting == [("accepted", "")]
    assert desk.story() == [("accepted", ""), ("filled", "")]
    assert desk.ctx.position.quantity == 2.0
    assert desk.events[-1].ts_ns == at(100)


@pytest.mark.parametrize(
    ("options", "until"), [({}, 200), ({"extended_hours": True}, 300)], ids=["regular", "extended"]
)
def test_a_day_order_expires_at_the_end_of_its_hours_and_shard_and_broker_agree(
    desk: Desk, options: dict[str, Any], until: int
) -> None:
    desk.mark(150)
    desk.ctx.buy(2, limit=5.0, **options)

    desk.mark(until - 1)
    before = (desk.story(), desk.ctx.open_orders)
    desk.mark(until)

    reason = "day order: the end of extended hours" if options else "day order: the regular close"
    assert before == ([("accepted", "")], ("day-s-A-1",))
    assert desk.story() == [("accepted", ""), ("expired", reason)]
    assert desk.ctx.open_orders == ()
    assert desk.manager.summary().canceled == 1
    assert desk.manager.close(at(400)) == []
    assert desk.manager.problems == []


def test_an_order_that_expires_partly_filled_keeps_its_fill(desk: Desk) -> None:
    desk.mark(150)
    desk.ctx.buy(600, limit=10.1)
    desk.ask()

    desk.give(mark(200))

    assert [event.status for event in desk.events] == ["accepted", "partially_filled", "expired"]
    assert desk.ctx.position.quantity == 500.0


@pytest.mark.parametrize(
    ("second", "options", "refused"),
    [
        (199, {}, False),
        (200, {}, True),
        (200, {"limit": 10.0, "extended_hours": True}, False),
        (299, {"limit": 10.0, "extended_hours": True}, False),
        (300, {"limit": 10.0, "extended_hours": True}, True),
        (300, {"limit": 10.0, "tif": "gtc"}, True),
    ],
)
def test_an_order_after_its_hours_is_refused_exits_too(
    desk: Desk, second: int, options: dict[str, Any], refused: bool
) -> None:
    desk.mark(150)
    desk.ctx.buy(4)
    desk.mark(151)
    desk.mark(second)

    desk.ctx.buy(2, **options)
    desk.ctx.sell(4, **options)
    desk.ask()

    for number in (2, 3):
        status, reason = desk.story(number)[0]
        assert (status == "refused", reason.startswith("hours: ")) == (refused, refused)


def test_an_order_that_is_accepted_after_the_close_fills_nothing_and_expires_at_the_next_mark(desk: Desk) -> None:
    desk.mark(150)
    desk.ctx.buy(2)

    desk.mark(200)
    desk.mark(201)

    assert desk.story() == [("accepted", ""), ("expired", "day order: the regular close")]


def test_a_gtc_order_does_not_fill_after_the_close_and_ends_with_the_session(desk: Desk) -> None:
    desk.mark(150)
    desk.ctx.buy(2, limit=9.0, tif="gtc")

    desk.mark(200)
    desk.give(a_quote(201, 201, bid=8.0, ask=8.1), mark(202), Close(at(250)))
    closing: Sequence[OrderEvent] = desk.manager.close(at(250))

    assert desk.story() == [("accepted", "")]
    assert [(event.status, event.reason) for event in closing] == [("canceled", "session closed")]
