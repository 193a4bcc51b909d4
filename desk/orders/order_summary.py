"""The session's orders and money in a few figures.

Tests: tests/desk/orders/test_manager.py
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from desk.trading.exposure import Exposure
from desk.trading.order_life import Order


class OrderSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of orders, and money in account currency at the last known prices.

    `submitted` orders were approved; `filled` are those filled whole, `canceled` those that ended by a cancel or with
    the session. `refused_by_risk` never left the desk, `refused` by the rule that did it. `gross` and `net` are the
    notionals of what is held: sums of |quantity| x price and of quantity x price. `realized` is before fees.
    """

    submitted: int = 0
    filled: int = 0
    canceled: int = 0
    rejected: int = 0
    refused_by_risk: int = 0
    refused: dict[str, int] = {}
    realized: float = 0.0
    unrealized: float = 0.0
    fees: float = 0.0
    gross: float = 0.0
    net: float = 0.0


def summarize_orders(orders: Iterable[Order], exposure: Exposure, refused: Mapping[str, int]) -> OrderSummary:
    """Count the orders by status, and value the book."""
    counts = Counter(order.status for order in orders)
    book = exposure.book
    return OrderSummary(
        submitted=counts.total() - counts["refused"],
        filled=counts["filled"],
        canceled=counts["canceled"] + counts["expired"],
        rejected=counts["rejected"],
        refused_by_risk=counts["refused"],
        refused=dict(sorted(refused.items())),
        realized=book.realized,
        unrealized=book.unrealized(exposure.prices),
        fees=book.fees,
        gross=book.gross(exposure.prices),
        net=book.net(exposure.prices),
    )
