"""`desk venue`: a local venue that plays market data to any client of Alpaca's stream."""

from pathlib import Path

from rich.console import Console

from console.commands.serving import listening_on, run_until, stop_event, write_port
from console.commands.venue_options import AccessOptions, PaceOptions, RestOptions, SourceOptions
from console.display.terminal import line
from desk.local_venue.faults.fault_script import load_faults
from desk.local_venue.server import VenueServer, run_precisely
from desk.local_venue.venue_settings import PlaySettings
from desk.local_venue.venue_stats import VenueStats
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
    stop = stop_event()
    with listening_on(door.port):
        async with server:
            console.print(line(f"playing {place} at ws://127.0.0.1:{server.port}/v2/iex"), soft_wrap=True)
            write_port(door.port_file, server.port)
            await run_until(stop, server.play(), ends=play.seconds is not None)
            console.print(line(stats_line(server.stats)), soft_wrap=True)
            if server.stats.faults:
                console.print(line(faults_line(server.stats.faults)), soft_wrap=True)


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
