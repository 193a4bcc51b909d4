"""Lockstep: at every mark, what all shards ask of the broker is decided in one call.

Tests: tests/desk/producer/test_loop.py
"""

from desk.model.orders import Request
from desk.ports import ProducerBroker, Waits
from desk.producer.deliveries import Deliveries
from desk.producer.lanes import Lanes
from desk.producer.router import Router


class LockstepRound:
    """Collects what the shards ask for, and has it decided."""

    def __init__(self, lanes: Lanes, router: Router, deliveries: Deliveries, broker: ProducerBroker) -> None:
        self._lanes = lanes
        self._router = router
        self._deliveries = deliveries
        self._broker = broker
        self._request = Request()
        self._round_ns = 0

    def collect(self, request: Request) -> None:
        """Take in what a shard asks for with its ack."""
        self._request.intents += request.intents
        self._request.reports += request.reports
        self._request.prices |= request.prices
        self._request.traceparent = self._request.traceparent or request.traceparent

    def exchange(self, session_ns: int, *, closing: bool = False) -> Waits:
        """Bring every shard to this mark, have what they ask for decided, and put the events into the lanes.

        When `closing`, the last prices are handed over even where nothing is asked for, and each exchange counts as a
        mark of its own, 1 ns after the one before.
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
