"""A venue on loopback whose market can be scanned, and a plan that scans it: stream and REST, both over sockets."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alpaca_rest_server import AlpacaRestServer, alpaca_rest_server, rest_snapshot
from alpaca_server import AlpacaServer, Client, quote, trade
from recording_scanner import Happenings

from desk.model.units import DAY_NS

PLAN = """
[session]
name = "scanned"
mode = "paper"
calendar = "24/7"
[feed]
kind = "alpaca"
url = "{stream}"
rest_url = "{rest}"
symbols = ["AAA"]
[guards]
max_clock_skew_ms = 600000
[consumers]
count = 2
cpus = 0.5
[[scanners]]
use = "{module}:Climbers"
every_s = 1
max_symbols = 5
params = {{ path = "{path}" }}
[[strategies]]
use = "{module}:Witness"
scanner = "Climbers"
params = {{ path = "{path}" }}
"""


class ScannedVenue:
    """AAA, BBB and CCC stand still; the symbols in `climbing` are above their open. Prices are of now.

    It records in `happenings` when a symbol is subscribed for the first time.
    """

    def __init__(self, folder: Path) -> None:
        self.climbing: list[str] = []
        self.happenings = Happenings(folder / "happened")
        self.plan = folder / "scanned.toml"
        self.socket: AlpacaServer
        self.rest: AlpacaRestServer

    @contextmanager
    def served(self) -> Iterator[None]:
        """Run its servers."""
        bars = "/v2/stocks/bars"
        pages = {"/v2/assets": self._assets, "/v2/stocks/snapshots": self._snapshots, bars: lambda _: {"bars": {}}}
        with AlpacaServer(self._stream) as self.socket, alpaca_rest_server(pages) as self.rest:
            self.rest.apart = frozenset({bars})  # the day's minutes, which have nothing to do with scans
            yield

    def write_plan(self, module: str = "recording_scanner") -> Path:
        """Write the plan, with the classes of the recording module under this name; its path."""
        path = self.plan.parent / "happened"
        self.plan.write_text(PLAN.format(stream=self.socket.url, rest=self.rest.url, path=path, module=module))
        return self.plan

    def when(self, what: str, symbol: str) -> float:
        """The first time that a symbol was "picked", "subscribed" or "traded"; 0 if it was not."""
        return self.happenings.when(what, symbol)

    def _assets(self, query: dict[str, str]) -> Any:
        names = sorted({"AAA", "BBB", "CCC", *self.climbing})
        return [{"symbol": name, "exchange": "NASDAQ", "tradable": True} for name in names]

    def _snapshots(self, query: dict[str, str]) -> Any:
        now_ns = time.time_ns()
        return {
            name: rest_snapshot(now_ns, 10.0, 9.0 if name in self.climbing else 10.0, now_ns // DAY_NS * DAY_NS)
            for name in query["symbols"].split(",")
        }

    async def _stream(self, client: Client) -> None:
        """Trades and quotes of whatever is subscribed, fifty times a second."""
        await client.greet()
        acknowledging = asyncio.create_task(self._acknowledge(client))
        number = 0
        try:
            while not acknowledging.done():
                number += 1
                now_ns, names = time.time_ns(), client.subscribed["trades"]
                if ticks := [tick for name in names for tick in (quote(name, now_ns), trade(name, now_ns, i=number))]:
                    await client.send(*ticks)
                await asyncio.sleep(0.02)
            await acknowledging
        finally:
            acknowledging.cancel()

    async def _acknowledge(self, client: Client) -> None:
        while True:
            await client.acknowledge()
            for symbol in client.subscribed["trades"]:
                self.happenings.add("subscribed", symbol)


@pytest.fixture
def scanned_venue(tmp_path: Path) -> Iterator[ScannedVenue]:
    """A running venue."""
    now = datetime.now(UTC)
    if (now.hour, now.minute) >= (23, 57):
        pytest.skip("the session of the calendar 24/7 would end within the test")
    venue = ScannedVenue(tmp_path)
    with venue.served():
        yield venue


def print_delays(venue: ScannedVenue, symbol: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Print how long after its pick a symbol was subscribed, and its first tick at its shard; check the order."""
    picked_s, subscribed_s, traded_s = (venue.when(what, symbol) for what in ("picked", "subscribed", "traded"))
    with capsys.disabled():
        line = f"subscribed after {subscribed_s - picked_s:.3f} s, first tick at its shard after"
        print(f"\npicked, {line} {traded_s - picked_s:.3f} s")  # noqa: T201 - the figure that the test is for
    assert 0 < picked_s < subscribed_s < traded_s
