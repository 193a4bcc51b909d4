"""Orders: the manager behind the broker door, and what it needs of a venue."""

from desk.orders.ledger import OrderLedger
from desk.orders.manager import OrderManager, restored
from desk.orders.summary import OrderSummary
from desk.orders.venue import OrderVenue

__all__ = ["OrderLedger", "OrderManager", "OrderSummary", "OrderVenue", "restored"]
