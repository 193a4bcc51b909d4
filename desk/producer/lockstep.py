"""Lockstep: at every mark, the broker decides the requests of all shards in one call.

Tests: tests/desk/producer/test_loop.py
"""

from desk.model.orders import Request
from desk.ports import ProducerBroker, Waits
from desk.producer.deliveries import Deliveries
from desk.producer.lanes import Lanes
from desk.producer.router import Router


class LockstepRound:
    """Collects the requests of the shards, and calls the broker for its decisions."""

    def __init__(self, lanes: Lanes, router: Router, deliveries: Deliveries, broker: ProducerBroker) -> None:
        self._lanes = lanes
        self._router = router
        self._deliveries = deliveries
        self._broker = broker
        self._request = Request()
        self._round_ns = 0

    def collect(self, request: Request) -> None:
        """Add the request that came with a shard's ack."""
        self._request.intents += request.intents
        self._request.reports += request.reports
        self._request.prices |= request.prices
        self._request.traceparent = self._request.traceparent or request.traceparent

    def exchange(self, session_ns: int, *, closing: bool = False) -> Waits:
        """Bring every shard to this mark, let the broker decide their requests, and put the events into the lanes.

        When `closing`, the broker gets the last prices even without a request, and each exchange counts as a mark of
        its own, 1 ns after the previous one.
        """
        if closing:
            self._round_ns = max(self._round_ns, *(lane.mark_ns for lane in self._lanes)) + 1
            for lane in self._lanes:
                lane.mark_ns = self._round_ns
        yield from self._lanes.flush(want_reply=True)
        request, self._request = self._request, Request()
        self._router.give(self._deliveries.due(session_ns))
        if request or (closing and request.prices):
            request.mark_ns = session_ns
            self._router.give(self._broker.decide(request))
