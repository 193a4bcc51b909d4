"""The tradeplan's [feed]: the source of market data, and which of its data to read.

Tests: tests/desk/config/test_plan.py
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from desk.config.json_plan import KEY, SYMBOLS, JsonMap, request_conflicts
from desk.config.kinds import FEED_KINDS, FeedName
from desk.config.plan_table import Location, PlanFault, PlanTable
from desk.config.plan_urls import STORE_CREDENTIALS, has_secret, is_unencrypted, is_url, unusable_host
from desk.config.values import Day, Distinct, RestUrl, SecretName, StreamUrl, Symbols, one_of

KINDS_BY_OPTION: Final[dict[str, tuple[str, ...]]] = {
    key: tuple(name for name, kind in FEED_KINDS.items() if key in kind.keys)
    for key in sorted(frozenset[str]().union(*(kind.keys for kind in FEED_KINDS.values())))
}
"""For each option that only some kinds of feed take: those kinds."""
OPTIONAL_CHANNELS: Final = frozenset[str]().union(*(kind.channels for kind in FEED_KINDS.values()))
VENDORS: Final = ("name", "url")
"""Options whose values belong to one kind of feed."""


def _delay_s(values: dict[str, Any]) -> float:
    """The delay of the stream that the values name."""
    kind = FEED_KINDS[values["kind"]]
    stream = kind.names.get(kind.feed_name(values["name"], values["url"]))
    return 0.0 if stream is None else stream.delay_s


Channel = Literal["trades", "quotes", "orderbooks", "bars", "updatedBars", "statuses", "lulds"]
TICK_CHANNELS: Final[tuple[Channel, ...]] = ("trades", "quotes", "orderbooks")


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
        description="recorded market data (tape), a made-up market (synthetic), or a live stream (the others)",
        json_schema_extra={"enum": list(FEED_KINDS)},
    )
    name: str = Field(
        default="",
        description="the stream of the vendor, which the account's plan must include: "
        + "; ".join(f"{kind}: {', '.join(each.names)}" for kind, each in FEED_KINDS.items() if each.names)
        + '; "" = the one at `url`, else the first',
    )
    url: StreamUrl = Field(default="", description="address of another stream, such as a `desk venue`; json: required")
    rest_url: RestUrl = Field(
        default="",
        description="alpaca: address of another REST server, for history, scanners and lists of symbols; empty = the "
        "vendor's, or for a `url` on this machine the same host and port",
    )
    scanned: Literal["all", "active"] = Field(
        default="all",
        description="alpaca: symbols of which scanners see snapshots: all tradable ones (one request for each 500), or "
        "the venue's most active ones and movers with the subscribed ones (about five requests)",
    )
    allow_plain: bool = Field(
        default=False,
        description="whether key and secret may be sent unencrypted (ws://, http://) to another machine",
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
        default_factory=_delay_s,
        ge=0,
        le=86_400,
        description="known delay of the feed, in s: it counts neither as age of data nor as clock skew; 900 for a "
        "delayed stream of `name`",
    )
    connections: int = Field(
        default=1,
        ge=0,
        le=1000,
        description="alpaca: connections that the venue allows one key at one endpoint; the desks of one machine share "
        "them, and a further desk is refused. 0 = no limit, as for a relay",
    )
    channels: Annotated[tuple[Channel, ...], Distinct] = Field(
        default=("trades", "quotes"),
        strict=False,
        min_length=1,
        description="kinds of ticks to read; alpaca: also the venue's bars, updatedBars, statuses and lulds. It "
        "subscribes bars, updatedBars and statuses in any case, and does without where the feed has none. "
        "alpaca_crypto: with orderbooks instead of quotes, quotes are the top of the order books",
        json_schema_extra={"words": 'a list of "trades", "quotes" or both, and of further channels, each once'},
    )
    symbols: Symbols = Field(
        default=("*",), description='symbols that are always subscribed; ["*"] = all; scanners may add more'
    )
    key_env: SecretName = Field(
        default="", description='json: the variable, or secrets file, that holds the key; "" = the stream needs none'
    )
    headers: dict[str, str] = Field(
        default_factory=dict, description=f"json: headers of the opening handshake; `{KEY}` stands for the key"
    )
    subscribe: str = Field(
        default="",
        max_length=10_000,
        description=f"json: the message that subscribes symbols; `{SYMBOLS}` stands for the list, `{KEY}` for the key; "
        '"" = the venue sends all by itself',
    )
    unsubscribe: str = Field(
        default="",
        max_length=10_000,
        description='json: the message that unsubscribes symbols; "" = none: their ticks are skipped',
    )
    map: JsonMap = Field(default_factory=JsonMap, description="the fields of a JSON stream")
    synthetic: SyntheticPlan = Field(default_factory=SyntheticPlan, description="the made-up market")

    @property
    def is_live(self) -> bool:
        """Whether the feed is a live stream, which cannot be paused or read again."""
        return FEED_KINDS[self.kind].is_live

    @property
    def has_trades(self) -> bool:
        """Whether the feed delivers trades."""
        return "trades" in self.channels and (self.map.has_trades or "map" not in FEED_KINDS[self.kind].keys)

    @property
    def feed_name(self) -> str:
        """The name of the vendor's stream; "" if it has none, or `url` is another."""
        return FEED_KINDS[self.kind].feed_name(self.name, self.url)

    @property
    def stream(self) -> FeedName | None:
        """What is known of the vendor's stream; None if it is another one, or the feed is not live."""
        return FEED_KINDS[self.kind].names.get(self.feed_name)

    @property
    def entitlement(self) -> str:
        """What the feed delivers, and how late; "" if it is not live."""
        if not self.is_live:
            return ""
        late = f"{self.delay_s:g} s late" if self.delay_s else "in real time"
        return "not known to the desk: the stream at `url`" if self.stream is None else f"{self.stream.about}, {late}"

    @property
    def credentials(self) -> tuple[str, ...]:
        """The variables with the feed's credentials."""
        return (*FEED_KINDS[self.kind].credentials, *filter(None, [self.key_env]))

    @property
    def tick_channels(self) -> tuple[Channel, ...]:
        """The channels of ticks: trades, quotes (or order books) or both."""
        return tuple(channel for channel in self.channels if channel in TICK_CHANNELS)

    @property
    def is_lossless(self) -> bool:
        """Whether the feed waits while a lane is full, so that no tick is dropped."""
        return not self.is_live and self.speed == "max"

    @property
    def has_snapshots(self) -> bool:
        """Whether the venue gives snapshots of its market, so that scanners can run on the live feed."""
        return FEED_KINDS[self.kind].has_snapshots

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
        yield from self._name_conflicts()
        yield from self._channel_conflicts()
        if "map" in FEED_KINDS[self.kind].keys:
            yield from request_conflicts(self.url, self.key_env, self.headers, self.subscribe)
        for location, value in self.foreign_options():
            kinds = " or ".join(f'"{kind}"' for kind in KINDS_BY_OPTION[str(location[0])])
            yield PlanFault(
                location,
                f'`{value}` with kind = "{self.kind}"',
                f"no `{location[-1]}`: it is an option of kind = {kinds}",
                f"Leave `{location[-1]}` out, or set kind = {kinds}.",
            )

    def _url_conflicts(self) -> Iterator[PlanFault]:
        for key, url, what, scheme in (
            ("url", self.url, 'a websocket address, as "ws://host:port/path"', "wss"),
            ("rest_url", self.rest_url, 'an address, as "http://host:port"', "https"),
        ):
            if reason := unusable_host(url):
                yield PlanFault((key,), f'`"{url}"`: {reason}', what, "Correct the host or the port.")
            elif is_unencrypted(url) and not self.allow_plain:
                yield PlanFault(
                    (key,),
                    f'`"{url}"`: key and secret would be sent unencrypted to another machine',
                    f"a {scheme}:// address, or a venue on this machine",
                    f"Write {scheme}://. If the connection is protected otherwise, such as by a tunnel, set "
                    "allow_plain = true.",
                )

    def _channel_conflicts(self) -> Iterator[PlanFault]:
        for channel in self.channels:
            if channel in OPTIONAL_CHANNELS and channel not in FEED_KINDS[self.kind].channels:
                yield PlanFault(
                    ("channels",),
                    f'`"{channel}"` with kind = "{self.kind}"',
                    '"trades", "quotes" or both',
                    f'Leave out "{channel}".',
                )
        if {"quotes", "orderbooks"} <= set(self.channels):
            yield PlanFault(
                ("channels",), '"quotes" and "orderbooks"', "one of them: both give quotes", "Leave out one of them."
            )

    def _name_conflicts(self) -> Iterator[PlanFault]:
        names = FEED_KINDS[self.kind].names
        known = " or ".join(f'"{name}"' for name in names)
        at_url = FEED_KINDS[self.kind].feed_name("", self.url) if self.url else ""
        if self.name and names and self.name not in names:
            yield PlanFault(("name",), f'`"{self.name}"`', f'{known}, or ""', "Name a stream of this vendor.")
        elif self.name and at_url and at_url != self.name:
            yield PlanFault(
                ("name",), f'`"{self.name}"` with the url of "{at_url}"', "one stream", "Leave out `name` or `url`."
            )

    def lost_with(self, kind: str) -> Iterator[Location]:
        """The options that another kind of feed does not take over."""
        changed = self.model_copy(update={"kind": kind})
        yield from (location for location, _ in changed.foreign_options())
        own = FEED_KINDS[kind].keys
        yield from ((name,) for name in VENDORS if getattr(self, name) and name in own)

    def foreign_options(self) -> Iterator[tuple[Location, object]]:
        """Options that this kind of feed does not take and that differ from their defaults, with their values."""
        own = FEED_KINDS[self.kind].keys
        for name in KINDS_BY_OPTION:
            if name not in own:
                yield from _changed(
                    name, getattr(self, name), type(self).model_fields[name].get_default(call_default_factory=True)
                )

    def with_kind(self, kind: str) -> dict[str, Any]:
        """The values that are set in this table, with another kind, without the options that it does not take over."""
        lost = {str(location[0]) for location in self.lost_with(kind)}
        return {**self.model_dump(exclude=lost, exclude_unset=True), "kind": kind}


def _changed(name: str, value: object, default: object) -> Iterator[tuple[Location, object]]:
    if not isinstance(value, PlanTable):
        if value != default:
            yield (name,), value
        return
    for key in type(value).model_fields:
        if getattr(value, key) != getattr(default, key):
            yield (name, key), getattr(value, key)
