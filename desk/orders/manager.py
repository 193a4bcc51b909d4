"""The order manager: the work of the broker actor, and of the in-process desk's broker."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from desk.model.errors import LedgerError
from desk.model.orders import CancelIntent, Intent, OrderEvent, OrderStatus, Report, Request, client_order_id
from desk.model.records import Decision
from desk.orders import decision_order
from desk.orders.broker_notes import CLOSING, CloseStart, read_notes
from desk.orders.journal import Journal
from desk.orders.order_ledger import OrderLedger
from desk.orders.order_summary import OrderSummary, summarize_orders
from desk.orders.order_times import OrderTimes
from desk.orders.order_venue import OrderVenue
from desk.orders.unit_of_work import UnitOfWork
from desk.strategy import Position
from desk.trading.exposure import Exposure
from desk.trading.order_life import IllegalTransitionError, Order, apply_report, change_status
from desk.trading.positions import Pair
from desk.trading.risk_gate import Approved, RiskGate, rule_of

MAX_PROBLEMS: Final = 100


class OrderManager:
    """Decides requests and keeps orders and positions; returns nothing that the ledger has not committed.

    Answers are idempotent: a repeated intent, cancel, report or close returns its first event under the same number,
    and writes nothing. So a restored shard that repeats a decision gets the same events at the same place in its lane,
    and drops those whose number it already has.

    All state is in the ledger: decisions, events in the order in which they were recorded, and notes. After `restore`
    from these a new manager answers as this one would.

    A failure of the ledger is fatal: the state has changed without a commit, so every later call raises the same error.
    Single-threaded.

    `problems` describes unexpected input (unknown or impossible reports, divergence), at most
    MAX_PROBLEMS of them. `diverged` holds the (strategy, symbol) pairs that decided differently under an id already
    used: they must be stopped, and their further intents are rejected. `stopwatch` returns the ns of a steady clock for
    `times`: no decision depends on it.
    """

    def __init__(
        self,
        session: str,
        gate: RiskGate,
        ledger: OrderLedger,
        venue: OrderVenue,
        stopwatch: Callable[[], int] = lambda: 0,
    ) -> None:
        self.session = session
        self.times = OrderTimes(stopwatch)
        self.problems: list[str] = []
        self.diverged: set[Pair] = set()
        self._gate = gate
        self._ledger = ledger
        self._venue = venue
        self._exposure = Exposure()
        self._orders: dict[str, Order] = {}
        self._refused: Counter[str] = Counter()
        self._journal = Journal(simulated=venue.simulated)
        self._fault: Exception | None = None
        self._closing: list[OrderEvent] | None = None

    def decide(self, request: Request) -> list[OrderEvent]:
        """Decide the request in canonical order, and commit the events.

        Reports come first, by (symbol, client_order_id, number), then prices, then cancels by (decision_ns,
        strategy, symbol, client_order_id), then intents by (decision_ns, strategy, symbol, number), last the
        cancels of those intents that are new. Returns the events by symbol and number. Raises LedgerError.
        """
        self._check_ledger()
        self.times.called()
        work = UnitOfWork(request.mark_ns, request.prices)
        for report in decision_order.reports(request.reports):
            self._on_report(report, work)
        for symbol, price in request.prices.items():
            self._mark(symbol, price, work)
        intents, cancels = decision_order.intents(request.intents), decision_order.cancels(request.intents)
        asked_now = {intent.client_order_id for intent in intents}.difference(self._orders)
        for cancel in cancels:
            if cancel.client_order_id not in asked_now:
                self._on_cancel(cancel, work)
        for intent in intents:
            self._on_intent(intent, work)
        for cancel in cancels:
            if cancel.client_order_id in asked_now:
                self._on_cancel(cancel, work)
        self._commit(work)
        return work.in_order()

    def begin_close(self, session_ns: int) -> None:
        """Record the ledger's position before the close, so that a resumed run can undo the close. Raises LedgerError.

        A repeat changes nothing.
        """
        self._check_ledger()
        notes = self._ledger.notes()
        if CLOSING not in notes:
            work = UnitOfWork(session_ns)
            work.notes.closing(CloseStart(self._journal.numbers(), notes))
            self._commit(work)

    def close(self, session_ns: int) -> list[OrderEvent]:
        """End the session: day and ioc orders expire, gtc orders are canceled, later intents are refused.

        Late fills still count. A repeat returns the same events, and ends nothing more. Raises LedgerError.
        """
        self._check_ledger()
        if self._closing is not None:
            return list(self._closing)
        work = UnitOfWork(session_ns)
        for order in sorted(self._exposure.open_orders(), key=lambda order: decision_order.canonical_key(order.intent)):
            status: OrderStatus = "canceled" if order.intent.tif == "gtc" else "expired"
            change_status(order, status)
            self._exposure.discard(order)
            work.tell(self._journal.write(order, "close", session_ns, session_ns, reason="session closed"))
            work.canceled.append(order.intent.client_order_id)
        self._closing = list(work.answers)
        work.notes.closed()
        self._commit(work)
        self.times.closed()
        return work.answers

    def restore(
        self, decisions: Sequence[Decision], events: Sequence[OrderEvent], notes: Mapping[str, str] | None = None
    ) -> None:
        """Restore a new manager from recorded data; `events` in recording order. Raises LedgerError.

        Open orders and cancels are sent to the venue again: the previous manager may have died before it sent them.
        """
        intents = {decision.intent.client_order_id: decision.intent for decision in decisions}
        approved: dict[str, Approved] = {}
        taken_back: dict[str, None] = {}
        closing: list[OrderEvent] = []
        for event in events:
            key = event.client_order_id
            match self._journal.recall(event):
                case "intent":
                    if key not in intents:
                        raise _incomplete(self.session, event)
                    if approval := self._recall_intent(intents[key], event):
                        approved[key] = approval
                    continue
                case "cancel":
                    taken_back[key] = None
                case "close":
                    taken_back[key] = None
                    closing.append(event)
            self._recall_step(self._orders[key], event)
        noted = read_notes(notes or {})
        self._exposure.prices.update(noted.prices)
        self.problems, self.diverged = noted.problems, noted.diverged
        self._closing = closing if noted.closed else None
        self._tell_venue(
            [approval for key, approval in approved.items() if self._orders[key].is_open], list(taken_back)
        )

    def carry(self, loss: float) -> None:
        """Add the loss of earlier sessions of this exchange day to the loss of the day."""
        self._exposure.carried_loss = loss

    def events_after(self, numbers: Mapping[str, int]) -> list[OrderEvent]:
        """The events of all symbols above these numbers (0 for others), by (symbol, number)."""
        self._check_ledger()
        return self._journal.after(numbers)

    def positions(self) -> dict[Pair, Position]:
        """Every (strategy, symbol) that ever had a fill."""
        return self._exposure.book.positions()

    def summary(self) -> OrderSummary:
        """Orders and money so far."""
        return summarize_orders(self._orders.values(), self._exposure, self._refused)

    def _on_report(self, report: Report, work: UnitOfWork) -> None:
        order = self._orders.get(report.client_order_id)
        if order is None or order.intent.symbol != report.symbol:
            self._problem(f"report {report.number} on {report.client_order_id} ({report.symbol}): no such order", work)
            return
        if report.number < 1:
            self._problem(f"report {report.number} on {report.client_order_id}: reports count from 1", work)
            return
        if known := self._journal.answer(report.client_order_id, report.number):
            work.answers.append(known)
            return
        try:
            step = apply_report(order, report)
        except IllegalTransitionError as error:
            self._problem(f"report {report.number}: {error}", work)
            return
        if step is None:
            return
        if step.excess:
            self._problem(f"report {report.number} on {report.client_order_id}: {step.excess:g} shares too many", work)
        if not step.void:
            self._settle(order, report, step.counted, work)
            self.times.reported(report.client_order_id, order.status)

    def _settle(self, order: Order, report: Report, counted: float, work: UnitOfWork) -> None:
        intent = order.intent
        fill = (counted, report.price, report.fee) if counted else (0.0, 0.0, 0.0)
        if counted:
            self._exposure.book.fill((intent.strategy, intent.symbol), intent.side, *fill)
        if not order.is_open:
            self._exposure.discard(order)
        work.tell(
            self._journal.write(order, report.number, report.ts_ns, work.given_ns, fill=fill, reason=report.reason)
        )

    def _on_cancel(self, cancel: CancelIntent, work: UnitOfWork) -> None:
        order = self._orders.get(cancel.client_order_id)
        if order is None or (order.intent.strategy, order.intent.symbol) != (cancel.strategy, cancel.symbol):
            self._problem(
                f"cancel of {cancel.client_order_id} by {cancel.strategy} on {cancel.symbol}: no such order", work
            )
        elif known := self._journal.answer(cancel.client_order_id, "cancel"):
            work.answers.append(known)
        elif order.is_open and order.status != "pending_cancel":
            change_status(order, "pending_cancel")
            work.tell(self._journal.write(order, "cancel", cancel.decision_ns, work.given_ns))
            work.canceled.append(cancel.client_order_id)

    def _on_intent(self, intent: Intent, work: UnitOfWork) -> None:
        if known := self._journal.answer(intent.client_order_id, "intent"):
            work.answers.append(known)
            if _content(self._orders[intent.client_order_id].intent) != _content(intent):
                self._diverge((intent.strategy, intent.symbol), work)
                self._problem(f"divergence: {intent.client_order_id} was decided before, and differently", work)
            return
        # Prices from the request itself win: a repeated request marks only its own prices.
        if intent.symbol not in work.priced:
            self._mark(intent.symbol, intent.reference_price, work)
        verdict = self._verdict(intent)
        reason = verdict if isinstance(verdict, str) else ""
        order = Order(intent, "refused" if reason else "accepted")
        self._orders[intent.client_order_id] = order
        if isinstance(verdict, Approved):
            self._exposure.add(order)
            work.approved.append(verdict)
        else:
            self._refused[rule_of(verdict)] += 1
        work.decisions.append(Decision(intent, f"refused: {reason}" if reason else "accepted"))
        work.tell(self._journal.write(order, "intent", intent.decision_ns, work.given_ns, reason=reason))

    def _verdict(self, intent: Intent) -> Approved | str:
        if self._closing is not None:
            return "session closed"
        expected = client_order_id(self.session, intent.strategy, intent.symbol, intent.number)
        if intent.client_order_id != expected:
            return f"client_order_id: expected {expected}"
        if (intent.strategy, intent.symbol) in self.diverged:
            return "divergence: the strategy is stopped for this symbol"
        if intent.kind not in self._venue.kinds:
            return f"{intent.kind} orders are not taken by this venue"
        return self._gate.judge(intent, self._exposure)

    def _commit(self, work: UnitOfWork) -> None:
        if work.events or work.notes.texts:
            try:
                self._ledger.record(work.decisions, work.events, work.notes.texts)
            except Exception as error:
                self._fault = error
                raise
        self._tell_venue(work.approved, work.canceled)
        if work.approved:
            self.times.sent(approval.intent.client_order_id for approval in work.approved)

    def _tell_venue(self, approved: Sequence[Approved], canceled: Sequence[str]) -> None:
        for approval in approved:
            self._venue.submit(approval)
        for key in canceled:
            self._venue.cancel(key)

    def _recall_intent(self, intent: Intent, event: OrderEvent) -> Approved | None:
        order = self._orders[intent.client_order_id] = Order(intent, event.status)
        if event.status == "refused":
            self._refused[rule_of(event.reason)] += 1
        if not order.is_open:
            return None
        approval = self._gate.recall(intent, self._exposure)
        self._exposure.add(order)
        return approval

    def _recall_step(self, order: Order, event: OrderEvent) -> None:
        intent = order.intent
        order.status, order.filled = event.status, event.filled
        if event.report:
            order.seen.add(event.report)
        if event.fill_quantity:
            fill = (event.fill_quantity, event.fill_price, event.fee)
            self._exposure.book.fill((intent.strategy, intent.symbol), intent.side, *fill)
        if not order.is_open:
            self._exposure.discard(order)

    def _check_ledger(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _mark(self, symbol: str, price: float, work: UnitOfWork) -> None:
        if self._exposure.mark(symbol, price):
            work.notes.price(symbol, price)

    def _diverge(self, pair: Pair, work: UnitOfWork) -> None:
        if pair not in self.diverged:
            self.diverged.add(pair)
            work.notes.diverged(pair)

    def _problem(self, text: str, work: UnitOfWork) -> None:
        if len(self.problems) < MAX_PROBLEMS and text not in self.problems:
            self.problems.append(text)
            work.notes.problem(len(self.problems), text)


def restore_manager(manager: OrderManager, ledger: OrderLedger) -> OrderManager:
    """Restore the new manager to the ledger's last commit; return it. Raises LedgerError."""
    manager.restore(*ledger.history(), ledger.notes())
    return manager


def _incomplete(session: str, event: OrderEvent) -> LedgerError:
    return LedgerError(
        f"session {session}",
        f"order event {event.number} of {event.symbol} on {event.client_order_id}, whose decision is missing",
        "every order's decision beside its events",
        "Another program changed the ledger: give the run its own.",
    )


def _content(intent: Intent) -> tuple[object, ...]:
    """The parts in which equal intents must agree: the order and its decision, not the age of the data."""
    prices = (intent.limit_price, intent.stop_price)
    order = (intent.side, intent.quantity, intent.kind, *prices, intent.tif, intent.extended_hours)
    return (intent.strategy, intent.symbol, intent.number, intent.decision_ns, *order)
