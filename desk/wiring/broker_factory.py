"""The broker's side: ledger, risk gate, venue."""

import time
from pathlib import Path
from typing import Final

import msgspec

from desk.config import Plan, load_settings
from desk.ledger import PATIENCE_S, RowCountFile, SqlLedger, ledger_url, require_same_ledger
from desk.model.errors import LedgerError, PlanError, RunFolderError
from desk.model.session import Session
from desk.orders import OrderLedger, OrderManager, restore_manager
from desk.trading.risk_gate import RiskGate
from desk.trading.risk_limits import RiskLimits, entry_shares
from desk.venues.registry import order_venue

ROWS: Final = "ledger.rows"


def require_ledger(plan: Plan, run_dir: Path) -> None:
    """See that the plan's ledger can be opened, before anything starts. Raises PlanError, CredentialsError."""
    try:
        _opened(plan, "", run_dir, patience_s=0).close()
    except LedgerError as fault:
        raise PlanError(f"[ledger] url, {fault.place}", fault.found, fault.expected, fault.remedy) from fault


def open_ledger_session(plan: Plan, session: Session, run_dir: Path, now_ns: int) -> tuple[Session, str, bool]:
    """The session under the name that the ledger has for it: that of one of the same day which was never closed.

    With it the ledger's identity, and whether the session's close was cut short in another run, and taken back. From
    here on, the run folder says how many rows the ledger must have.
    """
    book = _opened(plan, session.id, run_dir, rows=_rows(run_dir))
    try:
        name = book.open_session(
            session.id,
            plan=plan.session.name,
            mode=plan.session.mode,
            day=session.day,
            now_ns=now_ns,
            take_back=True,
        )
    finally:
        book.close()
    return msgspec.structs.replace(session, id=name), book.identity, book.took_back


def undo_ledger_close(plan: Plan, session: Session, run_dir: Path, now_ns: int) -> bool:
    """Undo in the ledger a close of the session that was cut short; whether there was one. Raises LedgerError."""
    book = open_ledger(plan, session, run_dir, now_ns)
    try:
        return book.undo_close()
    finally:
        book.close()


def require_known_ledger(plan: Plan, session: str, run_dir: Path, identity: str = "") -> None:
    """Check that the plan's ledger is the run's own, undamaged and with every row that the run committed.

    Raises RunFolderError, LedgerError, CredentialsError.
    """
    committed = _rows(run_dir).read()
    if identity:
        committed.ledger = identity
    require_same_ledger(
        ledger_url(plan.ledger.url, run_dir), session, committed, password=_password(), patience_s=PATIENCE_S
    )


def open_ledger(plan: Plan, session: Session, run_dir: Path, now_ns: int) -> SqlLedger:
    """The plan's ledger, with this session opened in it.

    Raises LedgerError, also where it is not the run's own any more: a ledger's process may be a successor in mid-run.
    """
    rows = _rows(run_dir)
    if rows.path.exists():
        try:
            require_known_ledger(plan, session.id, run_dir)
        except RunFolderError as fault:
            raise LedgerError(fault.place, fault.found, fault.expected, fault.remedy) from fault
    book = _opened(plan, session.id, run_dir, rows=rows)
    book.open_session(session.id, plan=plan.session.name, mode=plan.session.mode, day=session.day, now_ns=now_ns)
    return book


def _opened(
    plan: Plan, session: str, run_dir: Path, patience_s: float = PATIENCE_S, rows: RowCountFile | None = None
) -> SqlLedger:
    url = ledger_url(plan.ledger.url, run_dir)
    return SqlLedger(url, session, password=_password(), patience_s=patience_s, rows=rows)


def _password() -> str | None:
    """The password that the environment of this process has for the ledger."""
    secret = load_settings().ledger_password
    return None if secret is None else secret.get_secret_value()


def _rows(run_dir: Path) -> RowCountFile:
    return RowCountFile(run_dir / ROWS)


def build_order_manager(plan: Plan, session: Session, book: OrderLedger) -> OrderManager:
    """Build the order manager, restored from the session in the ledger."""
    own = {strategy.name: strategy.max_orders_per_minute for strategy in plan.strategies}
    shares = entry_shares(plan.risk.max_orders_per_minute, own)
    limits = RiskLimits(**plan.risk.model_dump(), entries_per_minute=shares)
    gate = RiskGate(limits, session.hours)
    new = OrderManager(session.id, gate, book, order_venue(plan), time.monotonic_ns)
    manager = restore_manager(new, book)
    manager.carry(book.earlier_loss())
    return manager
