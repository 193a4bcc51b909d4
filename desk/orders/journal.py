"""The journal: every order event of the session, numbered per symbol, with the question that it answered.

Tests: tests/desk/orders/test_manager_restored.py
"""

from collections.abc import Mapping
from typing import Literal

from desk.model.orders import OrderEvent
from desk.trading.order_life import Order

Question = Literal["intent", "cancel", "close"] | int
"""The question that an event answers: the intent, a cancel, the session's close, or the report of that number."""


class Journal:
    """Creates events, and finds them by symbol and number, and by order and question."""

    def __init__(self, *, simulated: bool) -> None:
        self._simulated = simulated
        self._events: dict[str, list[OrderEvent]] = {}
        self._answers: dict[tuple[str, Question], OrderEvent] = {}

    def write(
        self,
        order: Order,
        question: Question,
        ts_ns: int,
        given_ns: int,
        *,
        fill: tuple[float, float, float] = (0.0, 0.0, 0.0),
        reason: str = "",
    ) -> OrderEvent:
        """Append the next event of the order's symbol; `fill` is (quantity, price, fee)."""
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
            report=question if isinstance(question, int) else 0,
            given_ns=given_ns,
            extended_hours=intent.extended_hours,
        )
        events.append(event)
        self._answers[intent.client_order_id, question] = event
        return event

    def answer(self, client_order_id: str, question: Question) -> OrderEvent | None:
        """The event that answered a repeated question; None if the question is new or changed nothing."""
        return self._answers.get((client_order_id, question))

    def recall(self, event: OrderEvent) -> Question:
        """Restore a recorded event, the next of its symbol; return the question that it answered."""
        question = self._question(event)
        self._events.setdefault(event.symbol, []).append(event)
        self._answers[event.client_order_id, question] = event
        return question

    def after(self, numbers: Mapping[str, int]) -> list[OrderEvent]:
        """The events of all symbols above these numbers (0 for others), by symbol and number."""
        return [event for symbol in sorted(self._events) for event in self._events[symbol][numbers.get(symbol, 0) :]]

    def numbers(self) -> dict[str, int]:
        """The number of each symbol's last event."""
        return {symbol: len(events) for symbol, events in self._events.items()}

    def _question(self, event: OrderEvent) -> Question:
        if event.report:
            return event.report
        if (event.client_order_id, "intent") not in self._answers:
            return "intent"
        return "cancel" if event.status == "pending_cancel" else "close"
