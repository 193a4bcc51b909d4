"""The simulated venue: its orders are matched by the shards that own the symbols (`desk.consumer.matching`)."""

from typing import Final

from desk.model.orders import OrderKind
from desk.trading.risk_gate import Approved

ALL_KINDS: Final[frozenset[OrderKind]] = frozenset({"market", "limit", "stop", "stop_limit"})


class SimulatedVenue:
    """Accepts every kind of order, and sends nothing.

    The committed order event reaches the shard through its lane, and opens or cancels the order there. A second path to
    the shard would break the order of its items.
    """

    simulated = True
    kinds = ALL_KINDS

    def submit(self, approved: Approved) -> None:
        """Do nothing: the accepted event opens the order."""

    def cancel(self, client_order_id: str) -> None:
        """Do nothing: the pending_cancel event cancels the order."""
