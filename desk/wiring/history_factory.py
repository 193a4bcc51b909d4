"""Builds the history of a plan's feed, where there is one and the session needs it.

Tests: tests/desk/wiring/test_history_factory.py
"""

import hashlib
from pathlib import Path
from typing import Final

from desk.config import Plan, load_settings
from desk.config.plan_urls import is_url
from desk.files.cache_folder import cache_folder
from desk.history.history_server import HistoryServer
from desk.history.kept_history import KeptHistory
from desk.history.session_history import SessionHistory
from desk.model.session import Session
from desk.venues.api_keys import api_keys
from desk.venues.feed_factory import LiveFactory
from desk.venues.market_history import MarketHistory
from desk.venues.registry import feed_factory
from desk.wiring.exchange_days import ExchangeDays

RECORDED: Final = "history"
"""The folder beside a tape with the history of the run that recorded it: `history` in its run folder."""


def has_history(plan: Plan) -> bool:
    """Whether the feed's vendor has a history of it."""
    factory = feed_factory(plan)
    return isinstance(factory, LiveFactory) and type(factory).history is not LiveFactory.history


def needs_history(plan: Plan, session: Session) -> bool:
    """Whether the session needs the market's past, and there is a source of it."""
    if has_history(plan):
        return bool(session.needs) or repairs_gaps(plan)
    return bool(session.needs) and recorded_history(plan) is not None


def repairs_gaps(plan: Plan) -> bool:
    """Whether the plan has minutes that a gap may leave without trades, and wants them repaired."""
    return plan.feed.is_live and "trades" in plan.feed.channels and plan.bars.repair_s > 0


def history_server(plan: Plan, session: Session, kept: Path) -> HistoryServer | None:
    """The server of the session's history; None if none is needed, or there is none.

    It makes no request yet. `kept` is the run's own folder of what was used. Raises CredentialsError, and RunFailed for
    a damaged file.
    """
    if not needs_history(plan, session):
        return None
    days, market = ExchangeDays(plan.session.calendar), _market(plan)
    own = KeptHistory(kept)
    recorded = recorded_history(plan)
    if market is None and recorded is not None:
        return HistoryServer(None, SessionHistory(None, days, own or KeptHistory(recorded)))
    return HistoryServer(market, SessionHistory(market, days, own, _cache(plan, market)))


def recorded_history(plan: Plan) -> Path | None:
    """The folder of the history that was recorded with the plan's tape; None without one."""
    if plan.feed.is_live or not plan.feed.path or is_url(plan.feed.path):
        return None
    tape = Path(plan.feed.path)
    folder = (tape if tape.is_dir() else tape.parent).parent / RECORDED
    return folder if folder.is_dir() else None


def _market(plan: Plan) -> MarketHistory | None:
    factory = feed_factory(plan)
    return factory.history(plan, api_keys(plan)) if isinstance(factory, LiveFactory) else None


def _cache(plan: Plan, market: MarketHistory | None) -> Path | None:
    """The cache of a vendor's own server; None for another, whose market may change at any time."""
    if market is None or plan.feed.url:
        return None
    place = hashlib.sha256(market.place.encode()).hexdigest()[:16]
    return cache_folder(load_settings()) / "history" / f"{plan.feed.kind}-{place}"
