"""The journal: every order event of the session, numbered per symbol, and what each of them answered."""

from typing import Literal

from desk.lifecycle import Order
from desk.model.orders import OrderEvent

Question = Literal["intent", "cancel", "close"] | int
"""What an event of an order answers: its intent, a cancel, the session's close, or the report of that number."""


class Journal:
    """Makes the events, and finds them again: by symbol and number, and by order and question."""

    def __init__(self, *, simulated: bool) -> None:
        self._simulated = simulated
        self._events: dict[str, list[OrderEvent]] = {}
        self._answers: dict[tuple[str, Question], OrderEvent] = {}

    def write(
        self,
        order: Order,
        question: Question,
        ts_ns: int,
        *,
        fill: tuple[float, float, float] = (0.0, 0.0, 0.0),
        reason: str = "",
    ) -> OrderEvent:
        """The next event of the order's symbol; `fill` is (quantity, price, fee)."""
        intent = order.intent
        events = self._events.setdefault(intent.symbol, [])
        event = OrderEvent(
            number=len(events) + 1,
            symbol=intent.symbol,
            strategy=intent.strategy,
            client_order_id=intent.client_order_id,
            status=order.status,
            side=intent.side,
            kind=intent.kind,
            tif=intent.tif,
            quantity=intent.quantity,
            ts_ns=ts_ns,
            filled=order.filled,
            fill_quantity=fill[0],
            fill_price=fill[1],
            fee=fill[2],
            limit_price=intent.limit_price,
            stop_price=intent.stop_price,
            reason=reason,
            simulated=self._simulated,
        )
        events.append(event)
        self._answers[intent.client_order_id, question] = event
        return event

    def answer(self, client_order_id: str, question: Question) -> OrderEvent | None:
        """The event that answered the question, if it was asked before and changed anything."""
        return self._answers.get((client_order_id, question))

    def after(self, symbol: str, number: int) -> list[OrderEvent]:
        """The symbol's events above this number, in order."""
        return self._events.get(symbol, [])[number:]
