"""Opens Alpaca's market data stream for a plan.

Tests: tests/desk/venues/test_registry.py
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

from pydantic import SecretStr

from desk.config import Plan
from desk.files.connection_budget import connection_budget
from desk.model.feed_position import FeedPosition
from desk.model.units import SECOND_NS
from desk.ports import LiveMarket
from desk.venues.alpaca.market.feed import AlpacaFeed
from desk.venues.alpaca.rest.addresses import rest_addresses
from desk.venues.feed_factory import LiveFactory, LiveSetup
from desk.venues.market_history import MarketHistory

HELPERS: Final = frozenset({"bars", "updatedBars", "statuses"})
"""Channels that tell stale symbols from quiet ones, and of halts: subscribed in any case, and no fault if refused."""


class AlpacaFactory(LiveFactory):
    """Opens Alpaca's stream, or a venue that speaks its protocol."""

    def rest_url(self, plan: Plan) -> str:
        """The address of market data. Raises PlanError."""
        return rest_addresses(plan).data

    def history(self, plan: Plan, keys: Sequence[SecretStr]) -> MarketHistory | None:
        """The history of the stream's own feed. Raises PlanError."""
        from desk.venues.alpaca.rest.connect import alpaca_history  # noqa: PLC0415 - imports alpaca-py, which is large

        return alpaca_history(plan, keys, self.url(plan))

    def market(self, plan: Plan, keys: Sequence[SecretStr], day: date) -> LiveMarket | None:
        """The snapshots of the stream's own feed. Raises PlanError."""
        from desk.venues.alpaca.rest.connect import alpaca_market  # noqa: PLC0415 - likewise

        return alpaca_market(plan, keys, self.url(plan), day)

    def open(self, plan: Plan, keys: Sequence[SecretStr], setup: LiveSetup, resume: FeedPosition | None) -> AlpacaFeed:
        """Make the feed, which is not connected yet."""
        key, secret = keys
        session = setup.session
        return AlpacaFeed(
            self.url(plan),
            key.get_secret_value(),
            secret.get_secret_value(),
            channels=frozenset(plan.feed.channels),
            helpers=HELPERS,
            budget=connection_budget(key.get_secret_value(), self.url(plan), plan.feed.connections, plan.session.name),
            clock=setup.clock,
            session_clock=plan.session.clock,
            start_ns=session.start_ns,
            stop_ns=session.stop_ns,
            hours=session.hours,
            is_open=setup.is_open,
            first_ordinal=setup.first_ordinal,
            allow_plain=plan.feed.allow_plain,
            resume=resume,
            timeout_ns=round(plan.guards.feed_timeout_s * SECOND_NS),
        )
