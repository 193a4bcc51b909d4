"""`desk venue`: a local venue that plays market data to any client of Alpaca's stream."""

import asyncio
import os
import signal
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Final, get_args
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from rich.console import Console

from console.terminal import line
from desk.config import load_settings
from desk.feeds.synthetic import SyntheticConfig, SyntheticMarket
from desk.market.blocks import BlockSource
from desk.model.errors import PlanError, RunFailed
from desk.model.units import MS_NS, SECOND_NS
from desk.report import words
from desk.runs.atomic import replacing
from desk.tape.reader import TapeSource
from desk.venue.server import VenueServer, run_precisely
from desk.venue.settings import MIB, Mix, Play, Rules
from desk.venue.standard import StandardLoad
from desk.venue.stats import VenueStats

STANDARD_EVENTS: Final = 200_000
SYNTHETIC_START_NS: Final = (
    int(datetime(2026, 1, 5, 9, 30, tzinfo=ZoneInfo("America/New_York")).timestamp()) * SECOND_NS
)


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What is played: a tape, the standard load, or else the synthetic market."""

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
        """The mix, one of three words. Raises PlanError."""
        for mix in get_args(Mix):
            if self.mix == mix:
                return mix  # type: ignore[no-any-return]  # get_args gives the words of Mix
        raise PlanError("--mix", f"`{self.mix}`", "trades, quotes or both", "Correct the word.")


@dataclass(frozen=True, slots=True)
class PaceOptions:
    """How fast it is played, and in which frames; `speed` as it was typed."""

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

    def play(self, source: SourceOptions) -> Play:
        """The settings of the play. Raises PlanError."""
        if self.speed is not None and self.rate is not None:
            raise PlanError("--speed, --rate", "both", "one of them", "A rate is a schedule of its own: drop --speed.")
        return Play(
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
class DoorOptions:
    """Where it listens, and whom it lets in; `key` and `secret` as they were typed: where their values are."""

    port: int
    port_file: Path | None
    key: str | None
    secret: str | None
    symbol_limit: int | None
    connection_limit: int
    buffer_mb: float
    compress: bool

    def rules(self) -> Rules:
        """The settings of the door. Raises PlanError."""
        settings = load_settings()
        return Rules(
            key=_value("--key", self.key, settings.venue_key),
            secret=_value("--secret", self.secret, settings.venue_secret),
            symbol_limit=self.symbol_limit,
            connection_limit=self.connection_limit,
            buffer_bytes=int(self.buffer_mb * MIB),
        )


def _value(option: str, source: str | None, default: SecretStr | None) -> str | None:
    """The value that an option names, never the option's own text. Raises PlanError."""
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
            "a value on the command line, where every user of this machine can read it",
            "env:NAME or file:PATH",
            f"Set RAYDESK_VENUE_{option.strip('-').upper()}, or name a variable or a file.",
        )
    if not value:
        raise PlanError(option, f"`{source}`, which is empty or not there", "text", "Set it.")
    return value


def run_venue(source: SourceOptions, pace: PaceOptions, door: DoorOptions, console: Console) -> None:
    """Serve until the play's seconds are over or a signal comes, then tell the figures.

    A source that ends leaves the venue open, and mute, as a venue is after hours. Raises DeskError.
    """
    play = pace.play(source)
    rules = door.rules()
    market = source.source()
    run_precisely(_serve(VenueServer(market, play, rules, door.port, door.compress), market.place, play, door, console))


async def _serve(server: VenueServer, place: str, play: Play, door: DoorOptions, console: Console) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with server:
            console.print(line(f"playing {place} at ws://127.0.0.1:{server.port}/v2/iex"), soft_wrap=True)
            _write_port(door.port_file, server.port)
            await _play_until(stop, server, ends=play.seconds is not None)
            console.print(line(stats_line(server.stats)), soft_wrap=True)
    except OSError as error:
        raise RunFailed(
            f"port {door.port}",
            f"nobody can listen there: {error.strerror or error}",
            "a free port",
            "Choose another --port; 0 takes a free one.",
        ) from error


async def _play_until(stop: asyncio.Event, server: VenueServer, *, ends: bool) -> None:
    playing = asyncio.create_task(server.play())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((playing, stopping), return_when=asyncio.FIRST_COMPLETED)
    if playing.done():
        await playing
        if not ends:
            await stopping
    for task in (playing, stopping):
        task.cancel()
    await asyncio.wait((playing, stopping))


def stats_line(stats: VenueStats) -> str:
    """The figures in one line."""
    return "  ".join(
        (
            f"offered {words.count(stats.offered)}",
            f"in {words.duration(stats.elapsed_s)}",
            f"({words.rate(stats.offered_per_s)})",
            f"sent {words.count(stats.sent)}",
            f"slow clients dropped {stats.dropped_clients}",
            f"schedule lag at most {words.milliseconds(stats.max_schedule_lag_ms)}",
        )
    )


def _write_port(path: Path | None, port: int) -> None:
    if path is not None:
        with replacing(path) as beside:
            beside.write_text(f"{port}\n", encoding="utf-8")
