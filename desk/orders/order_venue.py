"""What the order manager needs of a venue: it takes approved orders, and nothing else."""

from typing import Protocol

from desk.ports import Venue
from desk.trading.risk_gate import Approved


class OrderVenue(Venue, Protocol):
    """A venue that can be told. Both calls come after the ledger's commit and do not wait for the venue.

    Whatever becomes of them, failures too, comes back as `Report`s in a later Request; they do not raise.
    Both are idempotent by client_order_id.
    """

    def submit(self, approved: Approved) -> None:
        """Send an order."""
        ...

    def cancel(self, client_order_id: str) -> None:
        """Ask to take back what is left of an order."""
        ...
