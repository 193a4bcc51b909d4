"""The broker actor: the risk gate, the order lifecycle, and the only access to the venue."""

from actors.calls.order_encoding import decode_numbers, decode_request, encode
from actors.calls.settling import ProducerPort
from actors.metrics.actor_meters import ActorMeters, ActorReport, ExportFactory, no_export
from desk.config import Plan
from desk.model.orders import OrderEvent
from desk.model.session import Session
from desk.orders import OrderLedger, OrderSummary
from desk.orders.order_spans import OrderSpans
from desk.orders.timed_ledger import TimedLedger
from desk.process.clock import SystemClock
from desk.report import metric_readings
from desk.report.run_record import ProcessUsage
from desk.telemetry.hop_meter import Part
from desk.telemetry.readings import Readings
from desk.wiring import broker_factory


class Broker:
    """Decide one request at a time. The ledger has committed every event that a call returns or delivers.

    The state is restored from the ledger, so a successor continues where its predecessor died.
    """

    def __init__(
        self,
        plan: Plan,
        session: Session,
        ledger: OrderLedger,
        producer: ProducerPort,
        export: ExportFactory = no_export,
    ) -> None:
        self._meters = ActorMeters("broker", export, traced=plan.telemetry.traced)
        self._clock = SystemClock()
        self._spans = OrderSpans(self._meters.spans, self._clock)
        self._ledger = TimedLedger(ledger, self._clock.wall_ns)
        self._manager = broker_factory.build_order_manager(plan, session, self._ledger, self._spans)
        self._producer = producer
        self._title = f"broker of {plan.session.name}: {plan.broker.kind}"

    def __repr__(self) -> str:
        return self._title

    def usage(self) -> ProcessUsage:
        """CPU time and memory that this process has used."""
        return self._meters.usage()

    def decide(self, request: bytes) -> bytes:
        """Decide an encoded request; return the encoded order events."""
        return encode(self._decide(request))

    def submit(self, request: bytes) -> None:
        """Decide an encoded request and deliver the order events to the producer."""
        events = self._decide(request)
        if events:
            self._producer.deliver(encode(events))

    def events_after(self, numbers: bytes) -> bytes:
        """Return the encoded events of all symbols above these encoded numbers; 0 for symbols without a number."""
        return encode(self._manager.events_after(decode_numbers(numbers)))

    def begin_close(self, session_ns: int) -> None:
        """Record the ledger's position before the session closes."""
        self._manager.begin_close(session_ns)

    def close(self, session_ns: int) -> bytes:
        """End every open order; return the encoded order events."""
        return encode(self._manager.close(session_ns))

    def problems(self) -> list[str]:
        """Unexpected reports and diverged decisions, as messages."""
        return self._manager.problems

    def stats(self) -> OrderSummary:
        """Counts of orders and money so far."""
        return self._manager.summary()

    def report(self) -> ActorReport:
        """The stats and the metrics of this process."""
        stats, times = self.stats(), self._manager.times.snapshots()

        def measure(readings: Readings) -> None:
            metric_readings.add_orders(readings, stats, times)
            self._ledger.measure(readings)

        return self._meters.report(stats, measure)

    def _decide(self, request: bytes) -> list[OrderEvent]:
        self._meters.follow()
        hops = self._meters.hops
        began_ns, commits_ns = self._clock.wall_ns(), self._ledger.commits.total_ns
        hops.point(began_ns)
        decoded = decode_request(request)
        with self._spans.deciding(decoded):
            events = self._manager.decide(decoded)
        ended_ns = self._clock.wall_ns()
        hops.point(ended_ns)
        if events:
            known: dict[Part, int] = {"commit": self._ledger.commits.total_ns - commits_ns}
            hops.note("decide", began_ns, ended_ns, ended_ns - began_ns, known)
        return events
