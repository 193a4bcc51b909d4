"""The servers that a plan's REST requests go to, and the feed that they ask for.

Tests: tests/desk/venues/alpaca/test_alpaca_clients.py
"""

from typing import Final, NamedTuple
from urllib.parse import urlsplit

from desk.config import Plan
from desk.config.plan_urls import is_loopback, is_unencrypted
from desk.model.errors import PlanError

DATA: Final = "https://data.alpaca.markets"
TRADING: Final = "https://paper-api.alpaca.markets"
"""As in alpaca/common/enums.py, which takes a while to import."""
FREE_FEED: Final = "iex"
SNAPSHOT_FEEDS: Final = frozenset({"iex", "sip", "delayed_sip"})
HISTORY_FEEDS: Final = {"iex": "iex", "sip": "sip", "delayed_sip": "sip"}
"""The `feed` of history by that of the stream: a delayed stream's history is that of its source."""


class RestAddresses(NamedTuple):
    """Base URLs of market data and of the trading API (symbols, trading days)."""

    data: str
    trading: str


def rest_addresses(plan: Plan) -> RestAddresses:
    """The plan's `rest_url`; else that of a stream on this machine; else Alpaca's.

    Lists of symbols and days come from the paper trading API, for which the keys of this plan are. Raises PlanError if
    keys would go unencrypted to another machine.
    """
    url = plan.feed.rest_url.rstrip("/")
    stream = urlsplit(plan.feed.url)
    if not url and is_loopback(stream.hostname or ""):
        url = f"http{'s' if stream.scheme == 'wss' else ''}://{stream.netloc}"
    if is_unencrypted(url) and not plan.feed.allow_plain:
        raise PlanError(
            "[feed] rest_url",
            f'`"{url}"`: key and secret would go unencrypted to another machine',
            "an https:// address, a venue on this machine, or [feed] allow_plain",
            "Write https://.",
        )
    return RestAddresses(url, url) if url else RestAddresses(DATA, TRADING)


def snapshot_feed(stream_url: str) -> str:
    """The `feed` of snapshots for a stream, which is the last part of its path; another path counts as IEX's."""
    name = urlsplit(stream_url).path.rpartition("/")[2]
    return name if name in SNAPSHOT_FEEDS else FREE_FEED


def history_feed(stream_url: str) -> str:
    """The `feed` of history for a stream."""
    return HISTORY_FEEDS[snapshot_feed(stream_url)]
