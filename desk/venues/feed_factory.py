"""What a kind of feed provides: market data that can be read again, or a live stream.

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
from desk.ports import Clock, LiveFeed

HoursOn = Callable[[date], TradingDay | None]
"""The hours of the plan's exchange on a date; None where it is closed."""


class ReplayFactory(ABC):
    """Market data that can be read again: its source is played by `BlockFeed`, which opens at any position."""

    @abstractmethod
    def source(self, plan: Plan, hours_on: HoursOn) -> BlockSource:
        """The rows that the plan names. Raises PlanError, TapeError, CredentialsError."""

    @abstractmethod
    def fingerprints(self, plan: Plan) -> dict[str, str]:
        """What shows, by file, whether a resumed run reads the same rows; empty where the plan alone decides that.

        Raises TapeError, CredentialsError.
        """

    @abstractmethod
    def fact(self, plan: Plan, source: BlockSource) -> tuple[str, str]:
        """A line of `desk check` about the source: a word for what it is, and the line."""


class LiveSetup(msgspec.Struct, frozen=True):
    """What a live feed is opened with beside the plan.

    `first_ordinal` is that of its first tick. `is_open(session_ns)`: whether the exchange is, so that silence means
    something.
    """

    session: Session
    clock: Clock
    first_ordinal: int
    is_open: Callable[[int], bool]


class LiveFactory(ABC):
    """A live stream: a venue's protocol on the socket loop that all share."""

    @abstractmethod
    def url(self, plan: Plan) -> str:
        """The address of the stream: the plan's, or the vendor's own."""

    @abstractmethod
    def open(self, plan: Plan, keys: Sequence[SecretStr], setup: LiveSetup, resume: FeedPosition | None) -> LiveFeed:
        """The session's feed: from its start, or behind the position of one whose producer died.

        `keys` are the credentials of the kind, in the registry's order. Raises CredentialsError, PlanError.
        """
