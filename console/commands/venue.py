"""`desk venue`: a local venue that plays market data to any client of Alpaca's stream."""

import asyncio
import signal
from pathlib import Path

from rich.console import Console

from console.commands.venue_options import AccessOptions, PaceOptions, RestOptions, SourceOptions
from console.display.terminal import line
from desk.files.atomic import replacing
from desk.local_venue.faults.fault_script import load_faults
from desk.local_venue.server import VenueServer, run_precisely
from desk.local_venue.venue_settings import PlaySettings
from desk.local_venue.venue_stats import VenueStats
from desk.model.errors import RunFailed
from desk.telemetry import formatting
from desk.wiring.exchange_days import ExchangeDays


def run_venue(
    source: SourceOptions,
    pace: PaceOptions,
    door: AccessOptions,
    rest: RestOptions,
    console: Console,
    faults: Path | None = None,
) -> None:
    """Serve until `--seconds` are over or SIGINT or SIGTERM arrives, then print the figures.

    When the market data ends, the venue stays open and sends nothing, as a venue does after hours. `faults` is the path
    of a fault script. Raises DeskError.
    """
    script = None if faults is None else load_faults(faults)
    play = pace.play(source)
    rules = door.rules()
    market = source.source()
    server = VenueServer(market, play, rules, door.port, door.compress, script, rest.settings(), ExchangeDays)
    run_precisely(_serve(server, market.place, play, door, console))


async def _serve(server: VenueServer, place: str, play: PlaySettings, door: AccessOptions, console: Console) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with server:
            console.print(line(f"playing {place} at ws://127.0.0.1:{server.port}/v2/iex"), soft_wrap=True)
            write_port(door.port_file, server.port)
            await _play_until(stop, server, ends=play.seconds is not None)
            console.print(line(stats_line(server.stats)), soft_wrap=True)
            if server.stats.faults:
                console.print(line(faults_line(server.stats.faults)), soft_wrap=True)
    except OSError as error:
        raise cannot_listen(door.port, error) from error


def cannot_listen(port: int, error: OSError) -> RunFailed:
    """The error of a port that is not free."""
    found = f"the venue cannot listen on it: {error.strerror or error}"
    return RunFailed(f"port {port}", found, "a free port", "Choose another --port; 0 takes a free one.")


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
            f"offered {formatting.count(stats.offered)}",
            f"in {formatting.duration(stats.elapsed_s)}",
            f"({formatting.rate(stats.offered_per_s)})",
            f"sent {formatting.count(stats.sent)}",
            f"slow clients dropped {stats.dropped_clients}",
            f"schedule lag at most {formatting.milliseconds(stats.max_schedule_lag_ms)}",
        )
    )


def faults_line(faults: dict[str, int]) -> str:
    """The injected faults in one line."""
    return "injected " + "  ".join(f"{kind} {formatting.count(count)}" for kind, count in faults.items())


def write_port(path: Path | None, port: int) -> None:
    """Write the port to the file that --port-file names."""
    if path is not None:
        with replacing(path) as beside:
            beside.write_text(f"{port}\n", encoding="utf-8")
