"""The broker actor: the one door to the venue, with the risk gate and the order lifecycle behind it."""

from actors.calls.order_encoding import decode_numbers, decode_request, encode
from actors.calls.settling import ProducerPort
from actors.metrics.counters import MetersFactory, NoMetrics
from desk.config import Plan
from desk.model.session import Session
from desk.orders import OrderLedger, OrderSummary
from desk.process.usage import process_usage
from desk.report.run_record import ProcessUsage
from desk.wiring import broker_factory


class Broker:
    """Decides one request at a time. What it gives back or delivers is committed in the ledger.

    It begins where the ledger says that another stood.
    """

    def __init__(
        self,
        plan: Plan,
        session: Session,
        ledger: OrderLedger,
        producer: ProducerPort,
        meters: MetersFactory = NoMetrics,
    ) -> None:
        self._manager = broker_factory.build_order_manager(plan, session, ledger)
        self._producer = producer
        self._meters = meters("broker")

    def __repr__(self) -> str:
        return "broker"

    def usage(self) -> ProcessUsage:
        """What this process has used."""
        return process_usage(self._meters.node)

    def decide(self, request: bytes) -> bytes:
        """Decide an encoded request; the encoded order events."""
        return encode(self._manager.decide(decode_request(request)))

    def submit(self, request: bytes) -> None:
        """Decide an encoded request and deliver the order events to the producer."""
        events = self._manager.decide(decode_request(request))
        if events:
            self._producer.deliver(encode(events))

    def events_after(self, numbers: bytes) -> bytes:
        """The encoded events of all symbols above these encoded numbers, 0 where a symbol is not named."""
        return encode(self._manager.events_after(decode_numbers(numbers)))

    def begin_close(self, session_ns: int) -> None:
        """Note where the ledger stands before the session's close."""
        self._manager.begin_close(session_ns)

    def close(self, session_ns: int) -> bytes:
        """End every order that is still open; the encoded order events."""
        return encode(self._manager.close(session_ns))

    def problems(self) -> list[str]:
        """What should not have happened."""
        return self._manager.problems

    def stats(self) -> OrderSummary:
        """Orders and money so far."""
        summary = self._manager.summary()
        self._meters.totals({"cpu_seconds_total": process_usage().cpu_s})
        self._meters.totals(
            {
                "orders_submitted_total": summary.submitted,
                "orders_filled_total": summary.filled,
                "orders_refused_total": summary.refused_by_risk,
            }
        )
        self._meters.levels(
            {"pnl": summary.realized + summary.unrealized - summary.fees, "gross_notional": summary.gross}
        )
        return summary
