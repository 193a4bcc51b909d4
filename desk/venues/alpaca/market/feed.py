"""The Alpaca stream as a feed: its protocol on the shared socket loop."""

from collections.abc import Callable, Collection
from random import Random
from typing import Literal
from urllib.parse import urlsplit

from desk.config.plan_urls import is_unencrypted
from desk.feeds.live.session_clock import RealSession, VenueSession, clock_url
from desk.feeds.live.socket_feed import SocketFeed, always
from desk.files.connection_budget import ConnectionBudget
from desk.model.block_rows import BlockFeedCounts
from desk.model.errors import CredentialsError, PlanError
from desk.model.feed_position import FeedPosition
from desk.model.hours import ALWAYS_OPEN, TradingDay
from desk.ports import Clock
from desk.streams.socket_loop import TIMEOUT_NS
from desk.venues.alpaca.market.protocol import AlpacaProtocol
from desk.venues.frame_codec import Encoding


class AlpacaFeed(SocketFeed):
    """Market data from an Alpaca stream endpoint (wss://stream.data.alpaca.markets/v2/…) or a compatible venue.

    `channels` are those of the plan, `helpers` further ones that the feed can do without.
    `session_clock` "venue" follows the clock that the same host serves at /clock. Ordinals count from
    `first_ordinal`; `resume` is the position after which a producer's successor continues. Raises CredentialsError
    without keys, PlanError if they would go unencrypted to another machine.
    """

    def __init__(
        self,
        url: str,
        key: str,
        secret: str,
        *,
        channels: Collection[str],
        helpers: Collection[str] = (),
        clock: Clock,
        session_clock: Literal["real", "venue"],
        start_ns: int = 0,
        stop_ns: int | None = None,
        rng: Random | None = None,
        encoding: Encoding = "msgpack",
        is_open: Callable[[int], bool] = always,
        hours: TradingDay = ALWAYS_OPEN,
        first_ordinal: int = 1,
        allow_plain: bool = False,
        resume: FeedPosition | None = None,
        timeout_ns: int = TIMEOUT_NS,
        budget: ConnectionBudget | None = None,
    ) -> None:
        parts = urlsplit(url)
        place = f"alpaca stream {parts.scheme}://{parts.hostname}{parts.path}"
        if not (key and secret):
            raise CredentialsError(
                place,
                "no key or no secret",
                "both",
                "Set ALPACA_API_KEY and ALPACA_SECRET_KEY in the environment or in secrets files.",
            )
        if is_unencrypted(url) and not allow_plain:
            raise PlanError(
                "[feed] url",
                f"`{place}`: key and secret would go unencrypted to another machine",
                "a wss:// address, a venue on this machine, or [feed] allow_plain",
                "Write wss://.",
            )
        counts = BlockFeedCounts()
        protocol = AlpacaProtocol(
            key,
            secret,
            place=place,
            channels=channels,
            helpers=helpers,
            counts=counts,
            encoding=encoding,
            first_ordinal=first_ordinal,
        )
        super().__init__(
            url,
            protocol,
            counts,
            clock=clock,
            session=RealSession(clock, place) if session_clock == "real" else VenueSession(clock_url(url), clock),
            start_ns=start_ns,
            stop_ns=stop_ns,
            rng=rng,
            is_open=is_open,
            hours=hours,
            resume=resume,
            timeout_ns=timeout_ns,
            budget=budget,
        )

    def __repr__(self) -> str:
        return f"AlpacaFeed({self.place!r})"
