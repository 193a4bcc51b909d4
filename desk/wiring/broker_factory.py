"""Builds the order manager and its ledger."""

import time
from pathlib import Path
from typing import Final

import msgspec

from desk.config import Plan, load_settings
from desk.ledger import PATIENCE_S, RowCountFile, SqlLedger, ledger_url, require_same_ledger
from desk.model.errors import LedgerError, PlanError, RunFolderError
from desk.model.session import Session
from desk.orders import OrderLedger, OrderManager, restore_manager
from desk.orders.order_spans import OrderSpans, TracedLedger, TracedVenue
from desk.orders.order_venue import OrderVenue
from desk.trading.risk_gate import RiskGate
from desk.trading.risk_limits import RiskLimits, entry_shares
from desk.venues.registry import order_venue

ROW_COUNT_FILE: Final = "ledger.rows"


def require_ledger(plan: Plan, run_dir: Path) -> None:
    """Check that the plan's ledger can be opened. Raises PlanError, CredentialsError."""
    try:
        _connect(plan, "", run_dir, patience_s=0).close()
    except LedgerError as fault:
        raise PlanError(f"[ledger] url, {fault.place}", fault.found, fault.expected, fault.remedy) from fault


def open_ledger_session(plan: Plan, session: Session, run_dir: Path, now_ns: int) -> tuple[Session, str, bool]:
    """Open the session in the ledger, or resume an unclosed session of the same plan, mode and day.

    Returns the session with its name in the ledger, the ledger's identity, and whether an interrupted close of the
    session was undone. The run folder gets the number of committed rows.
    """
    book = _connect(plan, session.id, run_dir, rows=_row_count_file(run_dir))
    try:
        name = book.open_session(
            session.id,
            plan=plan.session.name,
            mode=plan.session.mode,
            day=session.day,
            now_ns=now_ns,
            undo_interrupted_close=True,
        )
    finally:
        book.close()
    return msgspec.structs.replace(session, id=name), book.identity, book.close_undone


def undo_ledger_close(plan: Plan, session: Session, run_dir: Path, now_ns: int) -> bool:
    """Undo an interrupted close of the session in the ledger. Returns whether there was one. Raises LedgerError."""
    book = open_ledger(plan, session, run_dir, now_ns)
    try:
        return book.undo_close()
    finally:
        book.close()


def require_known_ledger(plan: Plan, session: str, run_dir: Path, identity: str = "") -> None:
    """Check that the ledger is the run's own, is undamaged and has all rows that the run committed.

    Raises RunFolderError, LedgerError, CredentialsError.
    """
    committed = _row_count_file(run_dir).read()
    if identity:
        committed.ledger = identity
    require_same_ledger(
        ledger_url(plan.ledger.url, run_dir), session, committed, password=_password(), patience_s=PATIENCE_S
    )


def open_ledger(plan: Plan, session: Session, run_dir: Path, now_ns: int) -> SqlLedger:
    """Open the session in the plan's ledger.

    If the run has committed rows to a ledger, check that it is this one: this process may be a restarted one. Raises
    LedgerError.
    """
    rows = _row_count_file(run_dir)
    if rows.path.exists():
        try:
            require_known_ledger(plan, session.id, run_dir)
        except RunFolderError as fault:
            raise LedgerError(fault.place, fault.found, fault.expected, fault.remedy) from fault
    book = _connect(plan, session.id, run_dir, rows=rows)
    book.open_session(session.id, plan=plan.session.name, mode=plan.session.mode, day=session.day, now_ns=now_ns)
    return book


def _connect(
    plan: Plan, session: str, run_dir: Path, patience_s: float = PATIENCE_S, rows: RowCountFile | None = None
) -> SqlLedger:
    url = ledger_url(plan.ledger.url, run_dir)
    return SqlLedger(url, session, password=_password(), patience_s=patience_s, rows=rows)


def _password() -> str | None:
    """The ledger's password from the environment."""
    secret = load_settings().ledger_password
    return None if secret is None else secret.get_secret_value()


def _row_count_file(run_dir: Path) -> RowCountFile:
    return RowCountFile(run_dir / ROW_COUNT_FILE)


def build_order_manager(
    plan: Plan, session: Session, book: OrderLedger, spans: OrderSpans | None = None
) -> OrderManager:
    """Build the order manager and restore it from the ledger."""
    per_strategy = {strategy.name: strategy.max_orders_per_minute for strategy in plan.strategies}
    shares = entry_shares(plan.risk.max_orders_per_minute, per_strategy)
    limits = RiskLimits(**plan.risk.model_dump(), entries_per_minute=shares)
    gate = RiskGate(limits, session.hours)
    venue: OrderVenue = order_venue(plan)
    if spans is not None:
        book, venue = TracedLedger(book, spans), TracedVenue(venue, spans)
    new = OrderManager(session.id, gate, book, venue, time.monotonic_ns)
    manager = restore_manager(new, book)
    manager.carry(book.earlier_loss())
    return manager
