"""The options of `desk venue` as settings of a venue. Tests: tests/console/test_console_venue.py."""

import os
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Final, get_args
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from desk.config import load_settings
from desk.feeds.synthetic.market import SyntheticConfig, SyntheticMarket
from desk.files.action_table import read_action_table
from desk.local_venue.rest.rest_door import PER_MINUTE, RestSettings
from desk.local_venue.standard_load import StandardLoad
from desk.local_venue.venue_settings import MIB, AccessRules, Mix, PlaySettings
from desk.model.blocks import BlockSource
from desk.model.errors import PlanError
from desk.model.units import MS_NS, SECOND_NS
from desk.tape.reader import TapeSource

STANDARD_EVENTS: Final = 200_000
SYNTHETIC_START_NS: Final = (
    int(datetime(2026, 1, 5, 9, 30, tzinfo=ZoneInfo("America/New_York")).timestamp()) * SECOND_NS
)


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The market data to play: a tape, the standard load, or by default the synthetic market."""

    tape: Path | None
    standard: bool
    symbols: int
    events_per_s: float
    minutes: int
    seed: int
    mix: str
    limit: int | None

    def source(self) -> BlockSource:
        """The market data. Raises PlanError, TapeError."""
        if self.tape is not None:
            if self.standard:
                raise PlanError("--tape, --standard", "both", "one of them", "Drop one.")
            tape = TapeSource(self.tape)
            tape.require_ns()
            return tape
        made = SyntheticConfig(
            self.seed, self.symbols, self.events_per_s, SYNTHETIC_START_NS, self.minutes * 60, quotes_per_trade=2.0
        )
        if self.standard:
            events = self.limit or STANDARD_EVENTS
            return StandardLoad(made.seed, made.symbols, made.events_per_s, events, self.mix != "trades")
        return SyntheticMarket(made)

    def checked_mix(self) -> Mix:
        """The kinds of ticks to play. Raises PlanError for an unknown word."""
        for mix in get_args(Mix):
            if self.mix == mix:
                return mix  # type: ignore[no-any-return]  # get_args gives the words of Mix
        raise PlanError("--mix", f"`{self.mix}`", "trades, quotes or both", "Correct the word.")


@dataclass(frozen=True, slots=True)
class PaceOptions:
    """The speed of the play, and its frames; `speed` is the text of the option."""

    speed: str | None
    rate: float | None
    frame_ms: float
    single: bool
    restamp: bool
    loop: bool
    wait_clients: int
    seconds: float | None

    def factor(self) -> float | None:
        """The factor of real time; None for "max" and for a rate. Raises PlanError."""
        if self.speed is None:
            return 1.0 if self.rate is None else None
        if self.speed == "max":
            return None
        try:
            factor = float(self.speed)
        except ValueError:
            factor = float("nan")
        if not (isfinite(factor) and factor > 0):
            raise PlanError("--speed", f"`{self.speed}`", 'a number above 0, or "max"', "Correct it.")
        return factor

    def play(self, source: SourceOptions) -> PlaySettings:
        """The settings of the play. Raises PlanError."""
        if self.speed is not None and self.rate is not None:
            raise PlanError("--speed, --rate", "both", "one of them", "Drop one: a rate sets the times by itself.")
        return PlaySettings(
            speed=self.factor(),
            rate_per_s=self.rate,
            frame_ns=int(self.frame_ms * MS_NS),
            single=self.single,
            restamp=self.restamp,
            loop=self.loop,
            limit=source.limit,
            mix=source.checked_mix(),
            seed=source.seed,
            wait_clients=self.wait_clients,
            seconds=self.seconds,
        )


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """The port, and the rules for clients; `key` and `secret` name the sources of the values (env:NAME, file:PATH)."""

    port: int
    port_file: Path | None
    key: str | None
    secret: str | None
    symbol_limit: int | None
    connection_limit: int | None
    buffer_mb: float
    compress: bool

    def rules(self) -> AccessRules:
        """The rules for clients. Raises PlanError."""
        settings = load_settings()
        return AccessRules(
            key=_value("--key", self.key, settings.venue_key),
            secret=_value("--secret", self.secret, settings.venue_secret),
            symbol_limit=self.symbol_limit,
            connection_limit=self.connection_limit,
            buffer_bytes=int(self.buffer_mb * MIB),
        )


@dataclass(frozen=True, slots=True)
class RestOptions:
    """The limits of the REST endpoints, and the table of corporate actions."""

    per_minute: int = PER_MINUTE
    latency_ms: float = 0.0
    actions: Path | None = None

    def settings(self) -> RestSettings:
        """The settings of the REST endpoints. Raises BadInput."""
        table = () if self.actions is None else tuple(read_action_table(self.actions))
        return RestSettings(self.per_minute, self.latency_ms / 1000, table)


def _value(option: str, source: str | None, default: SecretStr | None) -> str | None:
    """The value from the source that an option names, or the default. Raises PlanError."""
    if source is None:
        return None if default is None else default.get_secret_value()
    kind, _, name = source.partition(":")
    value: str | None = None
    if kind == "env":
        value = os.environ.get(name)
    elif kind == "file":
        try:
            value = Path(name).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            found = f"`{name}` cannot be read: {error}"
            raise PlanError(option, found, "a file of text", "Correct the path.") from None
    else:
        raise PlanError(
            option,
            "a value on the command line, which every user of this machine can read",
            "env:NAME or file:PATH",
            f"Set RAYDESK_VENUE_{option.strip('-').upper()}, or name a variable or a file.",
        )
    if not value:
        raise PlanError(option, f"`{source}`, which is empty or not set", "text", "Set it.")
    return value
