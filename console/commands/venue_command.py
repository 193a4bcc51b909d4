"""The command `desk venue` and its options. Tests: tests/console/test_console_venue.py."""

from pathlib import Path
from typing import Annotated, Final

import typer

from console.error_messages import ErrorReporter

PACE: Final = "Pace"
SERVER: Final = "Server"
RELAY: Final = "Relay"
HISTORY: Final = "History (REST)"


def venue(
    tape_path: Annotated[
        Path | None, typer.Option("--tape", metavar="PATH", help="Play this tape, not the made-up market.")
    ] = None,
    standard: Annotated[
        bool, typer.Option("--standard", help="Play the standard load: Zipf rates, Poisson arrivals.")
    ] = False,
    symbols: Annotated[int, typer.Option(metavar="N", help="Made-up market: number of symbols.")] = 600,
    events_per_s: Annotated[
        float, typer.Option(metavar="X", help="Made-up market: trades and quotes per second of session time.")
    ] = 2000.0,
    minutes: Annotated[int, typer.Option(metavar="N", help="Made-up market: length of the session.")] = 390,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the made-up market and of --rate.")] = 1,
    mix: Annotated[str, typer.Option(metavar="WORD", help="What to play: trades, quotes or both.")] = "both",
    limit: Annotated[int | None, typer.Option(metavar="N", help="Play only the first N events.")] = None,
    speed: Annotated[
        str | None,
        typer.Option(
            metavar="X", help='Factor of real time, or "max" for no pauses; default: 1.', rich_help_panel=PACE
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(metavar="X", help="Events per second at random times, instead of --speed.", rich_help_panel=PACE),
    ] = None,
    frame_ms: Annotated[
        float,
        typer.Option(metavar="MS", help="Gather the events of so many ms into one frame.", rich_help_panel=PACE),
    ] = 1.0,
    single: Annotated[
        bool, typer.Option("--single", help="Send every event in a frame of its own.", rich_help_panel=PACE)
    ] = False,
    restamp: Annotated[
        bool, typer.Option("--restamp", help="Replace the events' times by the current time.", rich_help_panel=PACE)
    ] = False,
    loop: Annotated[
        bool,
        typer.Option("--loop", help="Start again at the end, with new trade ids.", rich_help_panel=PACE),
    ] = False,
    wait_clients: Annotated[
        int, typer.Option(metavar="N", help="Start when N clients have subscribed.", rich_help_panel=PACE)
    ] = 1,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="Stop after playing S seconds.", rich_help_panel=PACE)
    ] = None,
    port: Annotated[
        int, typer.Option(metavar="N", help="Port to listen on; 0: a free one.", rich_help_panel=SERVER)
    ] = 8080,
    port_file: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write the port to this file when listening.", rich_help_panel=SERVER),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Key that clients must give, as env:NAME or file:PATH; default: RAYDESK_VENUE_KEY.",
            rich_help_panel=SERVER,
        ),
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Secret that clients must give, likewise; default: RAYDESK_VENUE_SECRET.",
            rich_help_panel=SERVER,
        ),
    ] = None,
    symbol_limit: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Most trade and quote symbols per connection (error 405); default: no limit.",
            rich_help_panel=SERVER,
        ),
    ] = None,
    connection_limit: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Most connections per endpoint (error 406); default: 1, with --relay no limit.",
            rich_help_panel=SERVER,
        ),
    ] = None,
    buffer_mb: Annotated[
        float,
        typer.Option(
            metavar="MIB", help="Most data that waits for a slow client (error 407), in MiB.", rich_help_panel=SERVER
        ),
    ] = 64.0,
    compress: Annotated[
        bool, typer.Option("--compress", help="Allow permessage-deflate compression.", rich_help_panel=SERVER)
    ] = False,
    faults: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Inject the faults of this script (docs/reference/fault-scripts.md).",
            rich_help_panel=SERVER,
        ),
    ] = None,
    relay: Annotated[
        bool,
        typer.Option(
            "--relay",
            help="Play nothing: pass one connection to Alpaca's stream on to many clients.",
            rich_help_panel=RELAY,
        ),
    ] = False,
    feed: Annotated[
        str,
        typer.Option(metavar="NAME", help="The stream: iex, sip, delayed_sip, test or crypto.", rich_help_panel=RELAY),
    ] = "iex",
    relay_url: Annotated[
        str, typer.Option(metavar="URL", help="Another address of the stream than Alpaca's.", rich_help_panel=RELAY)
    ] = "",
    rest_per_minute: Annotated[
        int,
        typer.Option(metavar="N", help="Most requests of a key per minute and host (429).", rich_help_panel=HISTORY),
    ] = 200,
    rest_latency_ms: Annotated[
        float, typer.Option(metavar="MS", help="Answer requests so much later.", rich_help_panel=HISTORY)
    ] = 0.0,
    actions: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Corporate actions: a table with symbol, effective, old_shares, new_shares, cash, new_symbol.",
            rich_help_panel=HISTORY,
        ),
    ] = None,
) -> None:
    """Play market data to any client of Alpaca's stream (ws://127.0.0.1:PORT/v2/iex, …), or pass a stream on.

    The same port serves Alpaca's history, snapshots, screener, assets, calendar, clock and corporate actions.
    """
    with ErrorReporter():
        from console.commands.relay import run_relay  # noqa: PLC0415 - likewise
        from console.commands.relay_options import RelayOptions  # noqa: PLC0415 - likewise
        from console.commands.venue import run_venue  # noqa: PLC0415 - likewise
        from console.commands.venue_options import (  # noqa: PLC0415 - likewise
            AccessOptions,
            PaceOptions,
            RestOptions,
            SourceOptions,
        )
        from console.display.terminal import people_console  # noqa: PLC0415 - `desk --help` starts quickly

        source = SourceOptions(tape_path, standard, symbols, events_per_s, minutes, seed, mix, limit)
        pace = PaceOptions(speed, rate, frame_ms, single, restamp, loop, wait_clients, seconds)
        limit_of_connections = connection_limit if relay or connection_limit is not None else 1
        door = AccessOptions(port, port_file, key, secret, symbol_limit, limit_of_connections, buffer_mb, compress)
        upstream = RelayOptions(relay, feed, relay_url)
        upstream.check(given_tape=tape_path is not None or standard, given_faults=faults is not None)
        if relay:
            run_relay(upstream, door, people_console())
        else:
            rest = RestOptions(rest_per_minute, rest_latency_ms, actions)
            run_venue(source, pace, door, rest, people_console(), faults)
