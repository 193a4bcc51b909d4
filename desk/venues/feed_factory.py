"""Factories of feeds: for market data that can be read again, and for live streams.

Tests: tests/desk/venues/test_registry.py
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import date

import msgspec
from pydantic import SecretStr

from desk.config import Plan
from desk.model.blocks import BlockSource
from desk.model.feed_position import FeedPosition
from desk.model.hours import TradingDay
from desk.model.session import Session
from desk.ports import Clock, LiveFeed, LiveMarket
from desk.venues.market_history import MarketHistory

HoursOn = Callable[[date], TradingDay | None]
"""The hours of the plan's exchange on a date; None if it is closed."""


class ReplayFactory(ABC):
    """Makes sources of market data that can be read again. `BlockFeed` plays them, from any position."""

    @abstractmethod
    def source(self, plan: Plan, hours_on: HoursOn) -> BlockSource:
        """Open the rows that the plan names. Raises PlanError, TapeError, CredentialsError."""

    @abstractmethod
    def fingerprints(self, plan: Plan) -> dict[str, str]:
        """A fingerprint per file, by which a resumed run checks that the rows are the same.

        Empty if the plan alone determines the rows. Raises TapeError, CredentialsError.
        """

    @abstractmethod
    def describe(self, plan: Plan, source: BlockSource) -> tuple[str, str]:
        """Label and text of the line about the source in `desk check`."""


class LiveSetup(msgspec.Struct, frozen=True):
    """What a live feed needs beside the plan.

    `first_ordinal` is the ordinal of its first tick. `is_open(session_ns)` says whether the exchange is open: only then
    is silence a fault.
    """

    session: Session
    clock: Clock
    first_ordinal: int
    is_open: Callable[[int], bool]


class LiveFactory(ABC):
    """Opens live feeds: a venue's protocol on the shared socket loop."""

    def url(self, plan: Plan) -> str:
        """The address of the stream: the plan's `url`, else that of the stream that its `name` chooses."""
        stream = plan.feed.stream
        return plan.feed.url or ("" if stream is None else stream.url)

    def rest_url(self, plan: Plan) -> str:  # noqa: ARG002 - for overrides
        """The address of the vendor's REST server: the plan's, else the default; "" if the desk uses none."""
        return ""

    @abstractmethod
    def open(self, plan: Plan, keys: Sequence[SecretStr], setup: LiveSetup, resume: FeedPosition | None) -> LiveFeed:
        """Open the session's feed from its start, or resume after the position `resume`.

        `keys` are the credentials of the kind, in the registry's order. Raises CredentialsError, PlanError.
        """

    def history(self, plan: Plan, keys: Sequence[SecretStr]) -> MarketHistory | None:  # noqa: ARG002 - for overrides
        """The past of the same market data; None if the vendor gives none. It makes no request yet."""
        return None

    def market(self, plan: Plan, keys: Sequence[SecretStr], day: date) -> LiveMarket | None:  # noqa: ARG002 - likewise
        """The market that scanners of the plan see; None if the vendor gives no snapshots. It makes no request yet.

        What does not change within the session's `day` may be cached for it.
        """
        return None
