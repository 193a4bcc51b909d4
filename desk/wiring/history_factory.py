"""Builds the history of a plan's feed, where there is one and the plan needs it.

Tests: tests/desk/wiring/test_history_factory.py
"""

from desk.config import Plan
from desk.history.history_server import HistoryServer
from desk.venues.api_keys import api_keys
from desk.venues.feed_factory import LiveFactory
from desk.venues.market_history import MarketHistory
from desk.venues.registry import feed_factory


def market_history(plan: Plan) -> MarketHistory | None:
    """The history of the plan's feed; None if it has none, or the plan needs none. Raises CredentialsError.

    A live feed needs it to repair gaps. It makes no request yet.
    """
    factory = feed_factory(plan)
    if not isinstance(factory, LiveFactory) or not repairs_gaps(plan):
        return None
    return factory.history(plan, api_keys(plan))


def repairs_gaps(plan: Plan) -> bool:
    """Whether the plan has minutes that a gap may leave without trades, and wants them repaired."""
    return plan.feed.is_live and "trades" in plan.feed.channels and plan.bars.repair_s > 0


def history_server(plan: Plan) -> HistoryServer | None:
    """The server of the plan's history, likewise."""
    market = market_history(plan)
    return None if market is None else HistoryServer(market)
