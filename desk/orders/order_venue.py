"""The order manager's venue port: it takes only approved orders."""

from typing import Protocol

from desk.ports import Venue
from desk.trading.risk_gate import Approved


class OrderVenue(Venue, Protocol):
    """A venue for orders. Both calls follow the ledger's commit and do not wait for the venue.

    They do not raise: results and failures arrive as `Report`s in a later Request.
    Both are idempotent by client_order_id.
    """

    def submit(self, approved: Approved) -> None:
        """Send an order."""
        ...

    def cancel(self, client_order_id: str) -> None:
        """Request the cancel of an order's open quantity."""
        ...
