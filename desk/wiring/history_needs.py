"""Derives from plan and session what its symbols need of the market's past.

Tests: tests/desk/wiring/test_history_needs.py
"""

from datetime import date

import msgspec

from desk.config import Plan
from desk.loading import load_entry
from desk.model.history import DeclaredHistory, HistoryNeeds
from desk.model.session import Session
from desk.model.units import MINUTE_NS, floor_to
from desk.wiring.exchange_days import ExchangeDay, ExchangeDays
from desk.wiring.history_factory import has_history, recorded_history
from desk.wiring.plan_session import session_bounds


def with_needs(plan: Plan, session: Session) -> Session:
    """The session with what its strategies declare, and with the earlier minutes of a day that has begun.

    Raises StrategyError for a class that cannot be loaded.
    """
    declared = []
    for entry in plan.strategies:
        history = dict(load_entry(entry, f"[[strategies]] {entry.name}").history)
        if history:
            symbols = None if entry.symbols == ("*",) or entry.scanner else frozenset(entry.symbols)
            declared.append(DeclaredHistory(history, symbols))
    minutes_from_ns = _minutes_from_ns(plan, session) if plan.strategies else 0
    if not declared and not minutes_from_ns:
        return session
    needs = HistoryNeeds(session.day, session.hours.start_ns, minutes_from_ns, declared)
    return msgspec.structs.replace(session, needs=needs)


def _minutes_from_ns(plan: Plan, session: Session) -> int:
    """Where the day's minutes begin: at the plan's start, else at the regular open, or before it with the day.

    0 if a late symbol gets them from the feed itself, or if there is no history.
    """
    if not has_history(plan):
        return session.hours.start_ns if recorded_history(plan) is not None and not session.history else 0
    day = ExchangeDay(date.fromisoformat(session.day), session.hours)
    start_ns, _ = session_bounds(plan, ExchangeDays(plan.session.calendar), day)
    if start_ns is None:
        hours = session.hours
        start_ns = hours.open_ns if session.start_ns >= hours.open_ns else hours.start_ns
    return floor_to(start_ns, MINUTE_NS)
