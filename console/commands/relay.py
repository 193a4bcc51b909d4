"""`desk venue --relay`: passes one connection to a venue on to many clients of this machine.

Tests: tests/console/test_console_relay.py
"""

import asyncio

from rich.console import Console

from console.commands.relay_options import RelayOptions
from console.commands.serving import listening_on, run_until, stop_event, write_port
from console.commands.venue_options import AccessOptions
from console.display.terminal import line
from desk.config import load_settings
from desk.local_venue.relay.relay_server import RelayServer, RelayStats
from desk.telemetry import formatting


def run_relay(upstream: RelayOptions, door: AccessOptions, console: Console) -> None:
    """Relay until SIGINT or SIGTERM arrives, then print the figures. Raises DeskError."""
    rules = door.rules()
    settings = upstream.settings(load_settings(), rules)
    server = RelayServer(settings, rules, door.port)
    console.print(line(f"relaying {settings.url}"), soft_wrap=True)
    asyncio.run(_serve(server, door, console))


async def _serve(server: RelayServer, door: AccessOptions, console: Console) -> None:
    stop = stop_event()
    with listening_on(door.port):
        async with server:
            endpoint = f"ws://127.0.0.1:{server.port}{server.endpoint}"
            console.print(line(f"serving it at {endpoint}"), soft_wrap=True)
            write_port(door.port_file, server.port)
            await run_until(stop, server.run())
            console.print(line(relay_line(server.stats)), soft_wrap=True)


def relay_line(stats: RelayStats) -> str:
    """The figures in one line."""
    return "  ".join(
        (
            f"received {formatting.count(stats.received)}",
            f"sent {formatting.count(stats.sent)}",
            f"connections to the venue {formatting.count(stats.connections)}",
            f"slow clients dropped {formatting.count(stats.dropped_clients)}",
        )
    )
