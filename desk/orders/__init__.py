"""The parts of the broker's process: the order manager, its journal, and its ports to ledger and venue."""

from desk.orders.manager import OrderManager, restore_manager
from desk.orders.order_ledger import OrderLedger
from desk.orders.order_summary import OrderSummary
from desk.orders.order_venue import OrderVenue

__all__ = ["OrderLedger", "OrderManager", "OrderSummary", "OrderVenue", "restore_manager"]
