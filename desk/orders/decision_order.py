"""The canonical order of a request's parts: decisions do not depend on arrival order or the number of shards.

Tests: tests/desk/orders/test_manager_restored.py
"""

from collections.abc import Sequence

from desk.model.orders import CancelIntent, Intent, Report


def reports(told: Sequence[Report]) -> list[Report]:
    """The reports by symbol, order and number."""
    return sorted(told, key=lambda report: (report.symbol, report.client_order_id, report.number))


def cancels(wishes: Sequence[Intent | CancelIntent]) -> list[CancelIntent]:
    """The cancels among the wishes, by decision, strategy, symbol and order."""
    found = [wish for wish in wishes if isinstance(wish, CancelIntent)]
    return sorted(found, key=lambda wish: (wish.decision_ns, wish.strategy, wish.symbol, wish.client_order_id))


def intents(wishes: Sequence[Intent | CancelIntent]) -> list[Intent]:
    """The intents among the wishes, in canonical order."""
    return sorted((wish for wish in wishes if isinstance(wish, Intent)), key=canonical_key)


def canonical_key(intent: Intent) -> tuple[int, str, str, int]:
    """The sort key of an order: decision, strategy, symbol and number."""
    return intent.decision_ns, intent.strategy, intent.symbol, intent.number
