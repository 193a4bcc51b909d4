"""The broker's side: ledger, risk gate, venue."""

from pathlib import Path

import msgspec

from desk.brokers.simulated import SimulatedVenue
from desk.config import Plan, load_settings
from desk.ledger import PATIENCE_S, SqlLedger, ledger_url
from desk.model.errors import LedgerError, PlanError
from desk.orders import OrderLedger, OrderManager, restored
from desk.pipeline.session import Session
from desk.risk import RiskGate, RiskLimits, entry_shares


def require_ledger(plan: Plan, run_dir: Path) -> None:
    """See that the plan's ledger can be opened, before anything starts. Raises PlanError, CredentialsError."""
    try:
        _opened(plan, "", run_dir, patience_s=0).close()
    except LedgerError as fault:
        raise PlanError(f"[ledger] url, {fault.place}", fault.found, fault.expected, fault.remedy) from fault


def open_session(plan: Plan, session: Session, run_dir: Path, now_ns: int) -> Session:
    """The session under the name that the ledger has for it: that of one of the same day which was never closed."""
    book = _opened(plan, session.id, run_dir)
    try:
        name = book.open_session(
            session.id, plan=plan.session.name, mode=plan.session.mode, day=session.day, now_ns=now_ns
        )
    finally:
        book.close()
    return msgspec.structs.replace(session, id=name)


def ledger(plan: Plan, session: Session, run_dir: Path, now_ns: int) -> SqlLedger:
    """The plan's ledger, with this session opened in it."""
    book = _opened(plan, session.id, run_dir)
    book.open_session(session.id, plan=plan.session.name, mode=plan.session.mode, day=session.day, now_ns=now_ns)
    return book


def _opened(plan: Plan, session: str, run_dir: Path, patience_s: float = PATIENCE_S) -> SqlLedger:
    """The ledger, with the password that the environment of this process has for it."""
    secret = load_settings().ledger_password
    password = None if secret is None else secret.get_secret_value()
    return SqlLedger(ledger_url(plan.ledger.url, run_dir), session, password=password, patience_s=patience_s)


def order_manager(plan: Plan, session: Session, book: OrderLedger) -> OrderManager:
    """The work behind the broker door, which goes on from what the ledger has of the session."""
    own = {strategy.name: strategy.max_orders_per_minute for strategy in plan.strategies}
    shares = entry_shares(plan.risk.max_orders_per_minute, own)
    limits = RiskLimits(**plan.risk.model_dump(), entries_per_minute=shares)
    gate = RiskGate(limits, session.hours)
    manager = restored(OrderManager(session.id, gate, book, SimulatedVenue()), book)
    manager.carry(book.earlier_loss())
    return manager
