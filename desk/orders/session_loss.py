"""The loss of a finished session.

Tests: tests/desk/ledger/test_ledger_sessions.py
"""

from collections.abc import Iterable, Mapping

from desk.model.orders import OrderEvent
from desk.orders.broker_notes import read_notes
from desk.trading.exposure import Exposure


def session_loss(events: Iterable[OrderEvent], notes: Mapping[str, str]) -> float:
    """The loss of a session's order events, fees included, at its last noted prices; negative for a gain."""
    exposure = Exposure()
    for event in events:
        if event.fill_quantity:
            fill = (event.fill_quantity, event.fill_price, event.fee)
            exposure.book.fill((event.strategy, event.symbol), event.side, *fill)
    exposure.prices.update(read_notes(notes).prices)
    return exposure.loss()
