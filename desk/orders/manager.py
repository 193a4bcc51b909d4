"""The order manager: what the broker actor and the in-process desk run behind the broker door."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from desk.lifecycle import IllegalTransitionError, Order, absorb, move
from desk.model.orders import CancelIntent, Intent, OrderEvent, OrderStatus, Report, Request, client_order_id
from desk.model.records import Decision
from desk.orders.journal import Journal
from desk.orders.summary import OrderSummary, summarize
from desk.orders.venue import OrderVenue
from desk.ports import Ledger
from desk.positions import Pair
from desk.risk import Approved, Exposure, RiskGate
from desk.strategy import Position

MAX_PROBLEMS: Final = 100


@dataclass(slots=True)
class _Round:
    """What one call brings about: rows for the ledger, answers for the shards, orders for the venue."""

    decisions: list[Decision] = field(default_factory=list)
    events: list[OrderEvent] = field(default_factory=list)
    answers: list[OrderEvent] = field(default_factory=list)
    approved: list[Approved] = field(default_factory=list)
    canceled: list[str] = field(default_factory=list)

    def tell(self, event: OrderEvent) -> None:
        self.events.append(event)
        self.answers.append(event)


class OrderManager:
    """Decides requests, keeps orders and positions, and lets nothing out that the ledger has not committed.

    The same question has the same answer: a repeated intent, cancel or report gives back the event it gave
    the first time, under its old number, and writes nothing. So a shard that is restored and decides again
    finds its events at the same place in its lane, and drops those whose number it already has.

    A failure of the ledger is fatal: what the call had worked out was neither committed nor given, but the state has
    moved, so every later call raises the same error. Single-threaded.

    `problems` names what should not happen (unknown or impossible reports, divergence), at most
    MAX_PROBLEMS of them. `diverged` holds the (strategy, symbol) pairs that decided differently under an id already
    used: they must be stopped, and their further intents are refused.
    """

    def __init__(self, session: str, gate: RiskGate, ledger: Ledger, venue: OrderVenue) -> None:
        self.session = session
        self.problems: list[str] = []
        self.diverged: set[Pair] = set()
        self._gate = gate
        self._ledger = ledger
        self._venue = venue
        self._exposure = Exposure()
        self._orders: dict[str, Order] = {}
        self._journal = Journal(simulated=venue.simulated)
        self._fault: Exception | None = None
        self._closed = False

    def decide(self, request: Request) -> list[OrderEvent]:
        """Decide all of it in canonical order; the events are committed when this returns.

        Reports come first, by (symbol, client_order_id, number), then prices, then cancels by (decision_ns,
        strategy, symbol, client_order_id), then intents by (decision_ns, strategy, symbol, number), last the
        cancels of these very intents. Raises LedgerError.
        """
        self._check_ledger()
        work = _Round()
        for report in sorted(
            request.reports, key=lambda report: (report.symbol, report.client_order_id, report.number)
        ):
            self._on_report(report, work)
        for symbol, price in request.prices.items():
            self._exposure.mark(symbol, price)
        intents = _intents(request.intents)
        asked_now = {intent.client_order_id for intent in intents}
        cancels = _cancels(request.intents)
        for cancel in cancels:
            if cancel.client_order_id not in asked_now:
                self._on_cancel(cancel, work)
        for intent in intents:
            self._on_intent(intent, work)
        for cancel in cancels:
            if cancel.client_order_id in asked_now:
                self._on_cancel(cancel, work)
        self._commit(work)
        return work.answers

    def close(self, session_ns: int) -> list[OrderEvent]:
        """End the session: day and ioc orders expire, gtc orders are canceled, later intents are refused.

        Late fills still count. Raises LedgerError.
        """
        self._check_ledger()
        work = _Round()
        for order in sorted(self._exposure.open_orders(), key=lambda order: _place(order.intent)):
            status: OrderStatus = "canceled" if order.intent.tif == "gtc" else "expired"
            move(order, status)
            self._exposure.discard(order)
            work.tell(self._journal.write(order, "close", session_ns, reason="session closed"))
            work.canceled.append(order.intent.client_order_id)
        self._closed = True
        self._commit(work)
        return work.answers

    def events_after(self, symbol: str, number: int) -> list[OrderEvent]:
        """The symbol's events above this number, for a shard that was restored."""
        self._check_ledger()
        return self._journal.after(symbol, number)

    def positions(self) -> dict[Pair, Position]:
        """Every (strategy, symbol) that ever had a fill."""
        return self._exposure.book.positions()

    def summary(self) -> OrderSummary:
        """Orders and money so far."""
        return summarize(self._orders.values(), self._exposure)

    def _on_report(self, report: Report, work: _Round) -> None:
        order = self._orders.get(report.client_order_id)
        if order is None or order.intent.symbol != report.symbol:
            self._problem(f"report {report.number} on {report.client_order_id} ({report.symbol}): no such order")
            return
        if known := self._journal.answer(report.client_order_id, report.number):
            work.answers.append(known)
            return
        try:
            step = absorb(order, report)
        except IllegalTransitionError as error:
            self._problem(f"report {report.number}: {error}")
            return
        if step is None:
            return
        if step.excess:
            self._problem(f"report {report.number} on {report.client_order_id}: {step.excess:g} shares too many")
        if step.counted or not step.excess:
            self._settle(order, report, step.counted, work)

    def _settle(self, order: Order, report: Report, counted: float, work: _Round) -> None:
        intent = order.intent
        fill = (counted, report.price, report.fee) if counted else (0.0, 0.0, 0.0)
        if counted:
            self._exposure.book.fill((intent.strategy, intent.symbol), intent.side, *fill)
            self._exposure.mark(intent.symbol, report.price)
        if not order.is_open:
            self._exposure.discard(order)
        work.tell(self._journal.write(order, report.number, report.ts_ns, fill=fill, reason=report.reason))

    def _on_cancel(self, cancel: CancelIntent, work: _Round) -> None:
        order = self._orders.get(cancel.client_order_id)
        if order is None or (order.intent.strategy, order.intent.symbol) != (cancel.strategy, cancel.symbol):
            self._problem(f"cancel of {cancel.client_order_id} by {cancel.strategy} on {cancel.symbol}: no such order")
        elif known := self._journal.answer(cancel.client_order_id, "cancel"):
            work.answers.append(known)
        elif order.is_open:
            move(order, "pending_cancel")
            work.tell(self._journal.write(order, "cancel", cancel.decision_ns))
            work.canceled.append(cancel.client_order_id)

    def _on_intent(self, intent: Intent, work: _Round) -> None:
        if known := self._journal.answer(intent.client_order_id, "intent"):
            work.answers.append(known)
            if _content(self._orders[intent.client_order_id].intent) != _content(intent):
                self.diverged.add((intent.strategy, intent.symbol))
                self._problem(f"divergence: {intent.client_order_id} was decided before, and differently")
            return
        self._exposure.mark(intent.symbol, intent.reference_price)
        verdict = self._verdict(intent)
        reason = verdict if isinstance(verdict, str) else ""
        order = Order(intent, "refused" if reason else "accepted")
        self._orders[intent.client_order_id] = order
        if isinstance(verdict, Approved):
            self._exposure.add(order)
            work.approved.append(verdict)
        work.decisions.append(Decision(intent, f"refused: {reason}" if reason else "accepted"))
        work.tell(self._journal.write(order, "intent", intent.decision_ns, reason=reason))

    def _verdict(self, intent: Intent) -> Approved | str:
        if self._closed:
            return "session closed"
        expected = client_order_id(self.session, intent.strategy, intent.symbol, intent.number)
        if intent.client_order_id != expected:
            return f"client_order_id: expected {expected}"
        if (intent.strategy, intent.symbol) in self.diverged:
            return "divergence: the strategy is stopped for this symbol"
        if intent.kind not in self._venue.kinds:
            return f"{intent.kind} orders are not taken by this venue"
        return self._gate.judge(intent, self._exposure)

    def _commit(self, work: _Round) -> None:
        if work.events:
            try:
                self._ledger.record(work.decisions, work.events)
            except Exception as error:
                self._fault = error
                raise
        for approved in work.approved:
            self._venue.submit(approved)
        for canceled in work.canceled:
            self._venue.cancel(canceled)

    def _check_ledger(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _problem(self, text: str) -> None:
        if len(self.problems) < MAX_PROBLEMS and text not in self.problems:
            self.problems.append(text)


def _cancels(wishes: Sequence[Intent | CancelIntent]) -> list[CancelIntent]:
    cancels = [wish for wish in wishes if isinstance(wish, CancelIntent)]
    return sorted(cancels, key=lambda wish: (wish.decision_ns, wish.strategy, wish.symbol, wish.client_order_id))


def _intents(wishes: Sequence[Intent | CancelIntent]) -> list[Intent]:
    return sorted((wish for wish in wishes if isinstance(wish, Intent)), key=_place)


def _place(intent: Intent) -> tuple[int, str, str, int]:
    return intent.decision_ns, intent.strategy, intent.symbol, intent.number


def _content(intent: Intent) -> tuple[object, ...]:
    """What makes two intents the same: the order and its decision, not how old the data was in that run."""
    order = (intent.side, intent.quantity, intent.kind, intent.limit_price, intent.stop_price, intent.tif)
    return (intent.strategy, intent.symbol, intent.number, intent.decision_ns, *order)
