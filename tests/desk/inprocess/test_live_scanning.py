"""A scanner on a live feed, over real sockets: it picks a symbol, the desk subscribes it, and its ticks come."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alpaca_rest_server import AlpacaRestServer, Answer, alpaca_rest_server, rest_snapshot
from alpaca_server import AlpacaServer, Client, quote, trade
from recording_scanner import HAPPENED, happen

from desk.config import load_plan
from desk.inprocess.in_process_desk import InProcessDesk
from desk.model.units import DAY_NS
from desk.report.summary import Summary
from desk.runs import RunFolder

DEADLINE_S = 60.0
PLAN = """
[session]
name = "scanned"
mode = "paper"
calendar = "24/7"
[feed]
kind = "alpaca"
url = "STREAM"
rest_url = "REST"
symbols = ["AAA"]
[guards]
max_clock_skew_ms = 600000
[consumers]
count = 2
[[scanners]]
use = "recording_scanner:Climbers"
every_s = 1
max_symbols = 5
[[strategies]]
use = "recording_scanner:Witness"
scanner = "Climbers"
"""


async def stream(client: Client) -> None:
    """Trades and quotes of whatever is subscribed, fifty times a second."""
    await client.greet()

    async def acknowledge() -> None:
        while True:
            await client.acknowledge()
            for symbol in client.subscribed["trades"]:
                happen("subscribed", symbol)

    acknowledging = asyncio.create_task(acknowledge())
    number = 0
    try:
        while not acknowledging.done():
            number += 1
            now_ns = time.time_ns()
            symbols = client.subscribed["trades"]
            ticks = [tick for name in symbols for tick in (quote(name, now_ns), trade(name, now_ns, i=number))]
            if ticks:
                await client.send(*ticks)
            await asyncio.sleep(0.02)
        await acknowledging
    finally:
        acknowledging.cancel()


class Venue:
    """A REST server whose snapshots are of now; AAA stands still, `climbing` are above their open."""

    def __init__(self) -> None:
        self.climbing: list[str] = []

    def assets(self, query: dict[str, str]) -> Any:
        names = ["AAA", "BBB", "CCC", *self.climbing]
        return [{"symbol": name, "exchange": "NASDAQ", "tradable": True} for name in sorted(set(names))]

    def snapshots(self, query: dict[str, str]) -> Any:
        now_ns = time.time_ns()
        return {
            name: rest_snapshot(now_ns, 10.0, 9.0 if name in self.climbing else 10.0, now_ns // DAY_NS * DAY_NS)
            for name in query["symbols"].split(",")
        }


@pytest.fixture(autouse=True)
def not_at_midnight() -> None:
    now = datetime.now(UTC)
    if (now.hour, now.minute) >= (23, 58):
        pytest.skip("the session would end within the test")
    HAPPENED.clear()


@contextmanager
def served(venue: Venue) -> Iterator[tuple[AlpacaServer, AlpacaRestServer]]:
    pages = {"/v2/assets": venue.assets, "/v2/stocks/snapshots": venue.snapshots}
    with AlpacaServer(stream) as socket, alpaca_rest_server(pages) as rest:
        yield socket, rest


def run_until(folder: Path, urls: tuple[str, str], done: Callable[[InProcessDesk], bool]) -> tuple[Summary, bool]:
    """Run a desk until `done`; its summary, and whether that was before the deadline."""
    plan = folder / "plan.toml"
    plan.write_text(PLAN.replace("STREAM", urls[0]).replace("REST", urls[1]))
    desk = InProcessDesk(load_plan(plan), RunFolder.create(None, folder / "run", "run", 0))
    until_s, reached = time.monotonic() + DEADLINE_S, []

    def show(_view: object) -> None:
        if done(desk) or time.monotonic() > until_s:
            reached.append(time.monotonic() <= until_s)
            desk.loop.stop()

    return desk.run(show), bool(reached) and reached[0]


def when(what: str, symbol: str) -> float:
    return next((at_s for other, name, at_s in HAPPENED if (other, name) == (what, symbol)), 0.0)


def test_a_symbol_that_a_scanner_picks_is_subscribed_and_trades_at_its_shard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venue = Venue()
    with served(venue) as (socket, rest):

        def done(desk: InProcessDesk) -> bool:
            if when("subscribed", "AAA") and desk.scanning.scans:
                venue.climbing = ["NEW"]
            return bool(when("traded", "NEW"))

        summary, in_time = run_until(tmp_path, (socket.url, rest.url), done)

    picked_s, subscribed_s, traded_s = (when(what, "NEW") for what in ("picked", "subscribed", "traded"))
    with capsys.disabled():
        print(  # noqa: T201 - the figure that this test is for
            f"\npicked, subscribed after {subscribed_s - picked_s:.3f} s, first tick after {traded_s - picked_s:.3f} s"
        )
    assert in_time
    assert 0 < picked_s < subscribed_s < traded_s
    assert summary.ok, summary.problems
    assert summary.warnings == []
    assert not when("traded", "AAA")  # nobody picked it


def test_while_the_rest_server_fails_the_picks_stay_and_the_run_says_so(tmp_path: Path) -> None:
    venue = Venue()
    venue.climbing = ["NEW"]
    with served(venue) as (socket, rest):

        def done(desk: InProcessDesk) -> bool:
            if when("traded", "NEW") and not rest.next_answers:
                rest.next_answers = [Answer(403, {"message": "not yours"})] * 1000
            return bool(desk.scanning.fault)

        summary, in_time = run_until(tmp_path, (socket.url, rest.url), done)

    assert in_time
    assert not summary.ok
    (problem,) = summary.problems
    assert "could not be scanned since" in problem
    assert "scanners keep their last symbols: alpaca iex snapshots: HTTP 403: not yours" in problem


def test_a_fault_that_is_over_is_a_warning(tmp_path: Path) -> None:
    venue = Venue()
    venue.climbing = ["NEW"]
    with served(venue) as (socket, rest):
        rest.next_answers = [Answer(403, {"message": "not yet"})]

        summary, in_time = run_until(tmp_path, (socket.url, rest.url), lambda _desk: bool(when("traded", "NEW")))

    assert in_time
    assert summary.ok, summary.problems
    (warning,) = summary.warnings
    assert "(1 scan failed): alpaca iex snapshots: HTTP 403: not yet" in warning


def test_a_silent_rest_server_does_not_delay_the_ticks(tmp_path: Path) -> None:
    venue = Venue()
    with served(venue) as (socket, rest):
        rest.next_answers = [Answer(raw=b" " * 100_000, drip_s=0.2)] * 100

        def done(desk: InProcessDesk) -> bool:
            stats = desk.loop.stats()
            return len(rest.asked) > 0 and stats.session_ns >= desk.session.start_ns + 4 * 10**9

        summary, in_time = run_until(tmp_path, (socket.url, rest.url), done)

    assert in_time
    assert summary.ticks.trades.received > 0
    assert summary.balanced
    assert len(rest.asked) == 1
