"""Orders: the manager behind the broker door, and what it needs of a venue."""

from desk.orders.manager import OrderManager
from desk.orders.summary import OrderSummary
from desk.orders.venue import OrderVenue

__all__ = ["OrderManager", "OrderSummary", "OrderVenue"]
