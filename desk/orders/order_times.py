"""How long orders take by wall time: from the decision to the venue, from there to the first report and the fill."""

from collections.abc import Callable, Iterable
from typing import Final

from desk.model.orders import TERMINAL, OrderStatus
from desk.telemetry.histogram import Histogram, HistogramSnapshot

SENT: Final = "sent"
ACKNOWLEDGED: Final = "acknowledged"
FILLED: Final = "filled"
MAX_OPEN: Final = 10_000
"""The most open orders that are timed; further ones are not."""


class OrderTimes:
    """Times orders of this process. `stopwatch` returns the ns of a steady clock.

    `sent`: from the call that decided an order until it was committed and sent. `acknowledged`: from then until the
    venue's first report. `filled`: from then until the last fill.
    """

    def __init__(self, stopwatch: Callable[[], int]) -> None:
        self._stopwatch = stopwatch
        self._called_ns = 0
        self._sent_ns: dict[str, int] = {}
        self._silent: set[str] = set()
        self._histograms = {step: Histogram() for step in (SENT, ACKNOWLEDGED, FILLED)}

    def called(self) -> None:
        """A call of the order manager begins: its orders count as decided."""
        self._called_ns = self._stopwatch()

    def sent(self, order_ids: Iterable[str]) -> None:
        """The orders of the call were sent to the venue."""
        now_ns = self._stopwatch()
        for order_id in order_ids:
            self._histograms[SENT].add_one(now_ns - self._called_ns)
            if len(self._sent_ns) < MAX_OPEN:
                self._sent_ns[order_id] = now_ns
                self._silent.add(order_id)

    def reported(self, order_id: str, status: OrderStatus) -> None:
        """The venue reported an order, which has this status now. Orders that this process did not send are ignored."""
        sent_ns = self._sent_ns.get(order_id)
        if sent_ns is None:
            return
        waited_ns = self._stopwatch() - sent_ns
        if order_id in self._silent:
            self._silent.discard(order_id)
            self._histograms[ACKNOWLEDGED].add_one(waited_ns)
        if status == "filled":
            self._histograms[FILLED].add_one(waited_ns)
        if status in TERMINAL:
            del self._sent_ns[order_id]

    def closed(self) -> None:
        """The session is closed: no order is open."""
        self._sent_ns.clear()
        self._silent.clear()

    def snapshots(self) -> dict[str, HistogramSnapshot]:
        """The histograms by step."""
        return {step: histogram.snapshot() for step, histogram in self._histograms.items()}
