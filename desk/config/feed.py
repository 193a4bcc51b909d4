"""The tradeplan's [feed]: where market data comes from, and what of it is taken."""

from collections.abc import Iterator
from datetime import date as Date  # noqa: N812  `date` is a key of the plan
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from desk.config.section import Fault, Section
from desk.config.urls import bears_secret, is_url
from desk.config.values import Distinct, StreamUrl, Symbols

SATURDAY: Final = 5


def _weekday(text: str) -> str:
    if Date.fromisoformat(text).weekday() >= SATURDAY:
        raise ValueError("a weekend")
    return text


Weekday = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        json_schema_extra={"words": 'text: a trading day as "YYYY-MM-DD", not on a weekend'},
    ),
    AfterValidator(_weekday),
]


class SyntheticPlan(Section):
    """[feed.synthetic]: a market made up from a seed, the same for the same keys."""

    seed: int = Field(default=1, ge=0, le=2**63 - 1, description="the market's seed; another one is another market")
    symbols: int = Field(default=600, ge=1, le=20_000, description="how many symbols are traded, the most active first")
    events_per_s: float = Field(
        default=2000.0,
        gt=0,
        le=10_000_000,
        description="trades and quotes per second of session time, mean over the whole market",
    )
    date: Weekday = Field(default="2026-01-05", description="the trading day")
    minutes: int = Field(
        default=390, ge=1, le=390, description="length of the session from 09:30 exchange time on, in minutes"
    )
    bursts: bool = Field(default=True, description="whether activity comes in bursts, as real activity does")
    late_fraction: float = Field(default=0.001, ge=0, le=1, description="fraction of trades that are reported late")
    odd_lot_fraction: float = Field(default=0.3, ge=0, le=1, description="fraction of trades that are odd lots")


class FeedPlan(Section):
    """[feed]: one source of market data."""

    kind: Literal["tape", "synthetic", "alpaca"] = Field(
        default="synthetic", description="recorded market data, a made-up market, or a live stream"
    )
    url: StreamUrl = Field(
        default="", description="alpaca: another endpoint than the vendor's, such as that of a `desk venue`"
    )
    path: str = Field(
        default="",
        description="the tape: a file, a folder or a glob, first looked for beside the plan, or a URL of one, such as "
        '"s3://bucket/day.parquet"',
    )
    speed: Annotated[float, Field(gt=0)] | Literal["max"] = Field(
        default="max",
        description='factor of real time, or "max" for as fast as the consumers go',
        json_schema_extra={"words": 'a number > 0, or "max"'},
    )
    delay_s: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="how late the feed is by design, in s: not counted as age or clock skew",
    )
    channels: Annotated[tuple[Literal["trades", "quotes"], ...], Distinct] = Field(
        default=("trades", "quotes"),
        strict=False,
        min_length=1,
        description="classes of ticks that are taken",
        json_schema_extra={"words": 'a list of "trades", "quotes" or both, each once'},
    )
    symbols: Symbols = Field(
        default=("*",), description='symbols that are always subscribed; ["*"] = all; scanners add to them'
    )
    synthetic: SyntheticPlan = Field(default_factory=SyntheticPlan, description="the made-up market")

    def disagreements(self) -> Iterator[Fault]:
        if self.kind == "tape" and not self.path:
            yield Fault(
                ("path",),
                'missing, with kind = "tape"',
                "the path of a tape: a file, a folder or a glob",
                'Add path = "…", or set kind = "synthetic" for a made-up market.',
            )
        if is_url(self.path) and bears_secret(self.path):
            yield Fault(
                ("path",),
                "a URL with credentials in it",
                'one without, such as "s3://bucket/day.parquet"',
                "Give them where the store's own tools look for them, as docs/how-to/storage.md tells.",
            )
        if self.kind != "alpaca" and self.url:
            yield Fault(
                ("url",),
                f'`"{self.url}"` with kind = "{self.kind}"',
                "no `url`: only a live feed has an address",
                'Leave `url` out, or set kind = "alpaca".',
            )
