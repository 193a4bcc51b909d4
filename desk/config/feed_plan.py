"""The tradeplan's [feed]: the source of market data, and which of its data to read.

Tests: tests/desk/config/test_plan.py
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from desk.config.kinds import FEED_KINDS
from desk.config.plan_table import Location, PlanFault, PlanTable
from desk.config.plan_urls import STORE_CREDENTIALS, has_secret, is_unencrypted, is_url, unusable_host
from desk.config.values import Day, Distinct, StreamUrl, Symbols, one_of

KINDS_BY_OPTION: Final[dict[str, tuple[str, ...]]] = {
    key: tuple(name for name, kind in FEED_KINDS.items() if key in kind.keys)
    for key in sorted(frozenset[str]().union(*(kind.keys for kind in FEED_KINDS.values())))
}
"""For each option that only some kinds of feed take: those kinds."""


Channel = Literal["trades", "quotes", "bars", "updatedBars", "statuses", "lulds"]
TICK_CHANNELS: Final[tuple[Channel, ...]] = ("trades", "quotes")


class SyntheticPlan(PlanTable):
    """[feed.synthetic]: a made-up market. The same keys give the same market."""

    seed: int = Field(default=1, ge=0, le=2**63 - 1, description="the same seed gives the same market")
    symbols: int = Field(default=600, ge=1, le=20_000, description="number of symbols, the most active first")
    events_per_s: float = Field(
        default=2000.0,
        gt=0,
        le=10_000_000,
        description="trades and quotes per second of session time, as a mean over the whole market",
    )
    date: Day = Field(default="2026-01-05", description="the trading day, by the session's calendar")
    minutes: int = Field(
        default=390, ge=1, le=390, description="length of the session from the exchange's opening, in minutes"
    )
    bursts: bool = Field(default=True, description="whether activity comes in bursts, as real activity does")
    late_fraction: float = Field(default=0.001, ge=0, le=1, description="fraction of trades that are reported late")
    odd_lot_fraction: float = Field(default=0.3, ge=0, le=1, description="fraction of trades that are odd lots")


class FeedPlan(PlanTable):
    """[feed]: one source of market data."""

    kind: Annotated[str, one_of(FEED_KINDS)] = Field(
        default="synthetic",
        description="recorded market data (tape), a made-up market (synthetic), or a live stream (alpaca)",
        json_schema_extra={"enum": list(FEED_KINDS)},
    )
    url: StreamUrl = Field(default="", description="alpaca: address of another stream, such as a `desk venue`")
    allow_plain: bool = Field(
        default=False,
        description="whether key and secret may be sent unencrypted (ws://) to another machine",
    )
    path: str = Field(
        default="",
        description="the tape: a file, a folder or a glob, searched first in the plan's folder; or a URL, such as "
        '"s3://bucket/day.parquet"',
    )
    speed: Annotated[float, Field(gt=0)] | Literal["max"] = Field(
        default="max",
        description='factor of real time, or "max" for as fast as possible',
        json_schema_extra={"words": 'a number > 0, or "max"'},
    )
    delay_s: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="known delay of the feed, in s: it counts neither as age of data nor as clock skew",
    )
    connections: int = Field(
        default=1,
        ge=0,
        le=1000,
        description="alpaca: connections that the venue allows one key at one endpoint; the desks of one machine share "
        "them, and a further desk is refused. 0 = no limit, as for a relay",
    )
    channels: Annotated[tuple[Channel, ...], Distinct] = Field(
        default=TICK_CHANNELS,
        strict=False,
        min_length=1,
        description="kinds of ticks to read; alpaca: also the venue's bars, updatedBars, statuses and lulds. It "
        "subscribes bars, updatedBars and statuses in any case, and does without where the feed has none",
        json_schema_extra={"words": 'a list of "trades", "quotes" or both, and of further channels, each once'},
    )
    symbols: Symbols = Field(
        default=("*",), description='symbols that are always subscribed; ["*"] = all; scanners may add more'
    )
    synthetic: SyntheticPlan = Field(default_factory=SyntheticPlan, description="the made-up market")

    @property
    def is_live(self) -> bool:
        """Whether the feed is a live stream, which cannot be paused or read again."""
        return FEED_KINDS[self.kind].is_live

    @property
    def tick_channels(self) -> tuple[Channel, ...]:
        """The channels of ticks: trades, quotes or both."""
        return tuple(channel for channel in self.channels if channel in TICK_CHANNELS)

    @property
    def is_lossless(self) -> bool:
        """Whether the feed waits while a lane is full, so that no tick is dropped."""
        return not self.is_live and self.speed == "max"

    @property
    def has_days(self) -> bool:
        """Whether [session] date selects a day of the feed."""
        return FEED_KINDS[self.kind].has_days

    def conflicts(self) -> Iterator[PlanFault]:
        if "path" in FEED_KINDS[self.kind].keys and not self.path:
            yield PlanFault(
                ("path",),
                f'missing, with kind = "{self.kind}"',
                "the path of a tape: a file, a folder or a glob",
                'Add path = "…", or set kind = "synthetic" for a made-up market.',
            )
        if is_url(self.path) and has_secret(self.path):
            yield PlanFault(
                ("path",),
                "a URL with credentials in it",
                'a URL without credentials, such as "s3://bucket/day.parquet"',
                STORE_CREDENTIALS,
            )
        if not self.tick_channels:
            yield PlanFault(
                ("channels",),
                f"`{list(self.channels)}`, without ticks",
                '"trades", "quotes" or both among them',
                'Add "trades".',
            )
        yield from self._url_conflicts()
        for location, value in self.foreign_options():
            kinds = " or ".join(f'"{kind}"' for kind in KINDS_BY_OPTION[str(location[0])])
            yield PlanFault(
                location,
                f'`{value}` with kind = "{self.kind}"',
                f"no `{location[-1]}`: it is an option of kind = {kinds}",
                f"Leave `{location[-1]}` out, or set kind = {kinds}.",
            )

    def _url_conflicts(self) -> Iterator[PlanFault]:
        if reason := unusable_host(self.url):
            yield PlanFault(
                ("url",),
                f'`"{self.url}"`: {reason}',
                'a websocket address, as "ws://host:port/path"',
                "Correct the host or the port.",
            )
        elif is_unencrypted(self.url) and not self.allow_plain:
            yield PlanFault(
                ("url",),
                f'`"{self.url}"`: key and secret would be sent unencrypted to another machine',
                "a wss:// address, or a venue on this machine",
                "Write wss://. If the connection is protected otherwise, such as by a tunnel, set allow_plain = true.",
            )

    def foreign_options(self) -> Iterator[tuple[Location, object]]:
        """Options that this kind of feed does not take and that differ from their defaults, with their values."""
        own = FEED_KINDS[self.kind].keys
        for name in KINDS_BY_OPTION:
            if name not in own:
                yield from _changed(
                    name, getattr(self, name), type(self).model_fields[name].get_default(call_default_factory=True)
                )

    def with_kind(self, kind: str) -> dict[str, Any]:
        """The values of this table with another kind; options that this kind does not take get their defaults."""
        changed = self.model_copy(update={"kind": kind})
        names = {str(location[0]) for location, _ in changed.foreign_options()}
        return {**self.model_dump(exclude=names), "kind": kind}


def _changed(name: str, value: object, default: object) -> Iterator[tuple[Location, object]]:
    if not isinstance(value, PlanTable):
        if value != default:
            yield (name,), value
        return
    for key in type(value).model_fields:
        if getattr(value, key) != getattr(default, key):
            yield (name, key), getattr(value, key)
