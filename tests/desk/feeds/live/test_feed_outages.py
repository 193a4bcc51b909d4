"""Whole runs in one process on venues that die, stop or do not answer: entries, marks, gaps, log and exit status."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from alpaca_server import AlpacaServer, Client, trade
from test_feed_reports import Run, marks, now, received, tick_until_closed

from desk import strategy
from desk.inprocess.in_process_desk import InProcessDesk
from desk.model.units import SECOND_NS

STRATEGY = f"""
[risk]
max_orders_per_minute = 100000
max_position_notional = 1e12
max_gross_notional = 1e12
[[strategies]]
use = "{__name__}:Eager"
"""
LIMIT_S = 60
QUICK = "feed_timeout_s = 0.9\nmax_clock_skew_ms = 600000\nmax_data_latency_s = 600.0" + STRATEGY


class Eager(strategy.Strategy):
    """Wants one share more every second, whatever the age of the data."""

    def on_second(self, ctx: strategy.Context) -> None:
        if ctx.price:
            ctx.buy(1)


class VenueProcess:
    """A `desk venue` of a few symbols in a process of its own, which can be killed, stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self._port_file = folder / "port"
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v2/iex"

    def start(self) -> None:
        self._port_file.unlink(missing_ok=True)
        words = ["--symbols", "3", "--events-per-s", "100", "--restamp"]
        places = ["--port", str(self.port), "--port-file", str(self._port_file)]
        program = "from console.cli import app; app()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, "venue", *words, *places], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + LIMIT_S
        while not self._port_file.exists():
            assert time.monotonic() < deadline, "the venue does not listen"
            time.sleep(0.01)
        self.port = int(self._port_file.read_text(encoding="utf-8"))

    def signal(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueProcess]:
    venue = VenueProcess(tmp_path)
    yield venue
    venue.kill()


class Outage:
    """The steps of a run: entries are accepted, the venue goes `away`, entries are refused, it is `back`, accepted."""

    def __init__(self, away: Callable[[], None], back: Callable[[], None]) -> None:
        self._away, self._back = away, back
        self._deadline = time.monotonic() + LIMIT_S
        self.away_ns = self.back_ns = 0
        self._before = self._refused = 0

    def done(self, house: InProcessDesk) -> bool:
        """Whether entries are accepted again; takes the next step when the one before has shown."""
        assert time.monotonic() < self._deadline, "the run does not come to its end"
        orders = house.manager.summary()
        if not self.away_ns:
            if orders.submitted > 3 and not house.loop.watch.is_degraded:
                self.away_ns = house.clock.wall_ns()
                self._away()
        elif not self.back_ns:
            if orders.refused_by_risk > 3 and house.loop.session_ns > self.away_ns + 5 * SECOND_NS:
                self.back_ns, self._before = house.clock.wall_ns(), orders.submitted
                self._back()
        else:
            return orders.submitted > self._before
        return False


def judge(run: Run, outage: Outage, folder: Path, why: str) -> None:
    """Entries on data that could not be known to be fresh were refused, log and gaps say so, and the run is ok."""
    rows = pq.read_table(folder / "run" / "decisions.parquet").to_pylist()
    (gap,) = run.summary["gaps"]
    lost = run.logged("WARNING", f"the feed is down: {why}")
    known_ns = gap["from_ns"] + 3 * SECOND_NS  # the timeout, and the next mark
    during = [row for row in rows if known_ns < row["decision_ns"] < min(outage.back_ns, gap["to_ns"])]

    assert (run.summary["problems"], run.summary["feed"]["up"]) == ([], True)
    assert lost < run.logged("WARNING", "subscribed again after")
    assert {row["outcome"] for row in during} == {"refused: stale data"}
    assert all(row["data_age_ms"] > (row["decision_ns"] - gap["from_ns"]) / 1e6 - 100 for row in during)
    assert any("feed down for" in alert for view in run.views for alert in view.alerts)
    bars = pq.read_table(folder / "run" / "bars.parquet").to_pylist()
    hit = [bar for bar in bars if gap["from_ns"] - 60 * SECOND_NS < bar["minute_ns"] < gap["to_ns"]]
    assert {bar["flags"] for bar in hit} == {"partial"}


def test_a_venue_that_is_killed_bars_entries_at_once_until_it_is_back(tmp_path: Path, venue: VenueProcess) -> None:
    outage = Outage(venue.kill, venue.start)

    run = Run(tmp_path, venue.url, outage.done, symbols='["*"]', guards=QUICK)

    judge(run, outage, tmp_path, "the connection ended without a word")


def test_a_venue_that_plays_at_today_s_times_loses_no_tick_under_its_own_clock(
    tmp_path: Path, venue: VenueProcess
) -> None:
    run = Run(tmp_path, venue.url, lambda house: received(house, 100), symbols='["*"]', clock="venue")

    assert (run.status, run.summary["ok"], run.summary["problems"]) == (0, True, [])
    assert run.summary["ticks"]["trades"]["applied"] >= 100
    assert not any(counts["rejected"] for counts in run.summary["ticks"].values())


def test_a_venue_that_stops_without_a_word_is_down_after_the_timeout(tmp_path: Path, venue: VenueProcess) -> None:
    outage = Outage(lambda: venue.signal(signal.SIGSTOP), lambda: venue.signal(signal.SIGCONT))

    run = Run(tmp_path, venue.url, outage.done, symbols='["*"]', guards=QUICK)

    judge(run, outage, tmp_path, "neither data nor a pong for 0.9 s")


def test_a_symbol_that_is_not_granted_after_a_reconnect_is_entered_no_more(tmp_path: Path) -> None:
    deadline = time.monotonic() + LIMIT_S

    async def grant_all(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        for number in range(1, 50):
            await client.send(*[trade(symbol, now(), i=number) for symbol in "AB"])
            await asyncio.sleep(0.05)

    async def grant_one(client: Client) -> None:
        await client.greet()
        for _ in range(3):
            await client.acknowledge(leave_out=["B"])
        await tick_until_closed(client)

    def done(house: InProcessDesk) -> bool:
        assert time.monotonic() < deadline, "the run does not come to its end"
        gaps, session_ns = house.loop.gaps.records, house.loop.session_ns
        return bool(gaps) and not house.loop.watch.is_degraded and session_ns > gaps[-1].to_ns + 3 * SECOND_NS

    with AlpacaServer(grant_all, grant_one) as server:
        run = Run(tmp_path, server.url, done, guards=QUICK)

    rows = pq.read_table(tmp_path / "run" / "decisions.parquet").to_pylist()
    back_ns = run.summary["gaps"][-1]["to_ns"] + 2 * SECOND_NS
    assert run.summary["feed"]["refused_symbols"] == ["B"]
    assert {row["outcome"] for row in rows if row["symbol"] == "B" and row["decision_ns"] > back_ns} == {
        "refused: stale data"
    }
    assert "filled" in {row["outcome"] for row in rows if row["symbol"] == "A" and row["decision_ns"] > back_ns}
    assert "filled" in {row["outcome"] for row in rows if row["symbol"] == "B"}


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A port that takes connections and answers each with these bytes; b"" is no answer at all."""
    over, taken = threading.Event(), list[socket.socket]()

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            taken.append(connection)
            if answer:
                connection.recv(65536)
                connection.sendall(answer)
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/v2/iex"
        finally:
            over.set()
            thread.join()
            for connection in taken:
                connection.close()


def is_down_for(house: InProcessDesk, least_ns: int) -> bool:
    """Whether connecting has failed, and the gap is so long: a slow machine starts late."""
    live = house.loop.live
    assert live is not None
    gap = live.open_gap(house.loop.session_ns)
    return bool(live.down_why) and gap is not None and gap.to_ns - gap.from_ns >= least_ns


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", ""),
        (b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", "HTTP 500"),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "HTTP 503"),
        (b"\x16\x03\x01 no HTTP at all\r\n\r\n", "no websocket"),
    ],
    ids=["nothing", "500", "503", "garbage"],
)
def test_a_venue_that_opens_no_websocket_is_a_problem_and_a_gap(tmp_path: Path, answer: bytes, why: str) -> None:
    with answering(answer) as url:
        run = Run(tmp_path, url, lambda house: marks(house, 2) and is_down_for(house, SECOND_NS), guards=QUICK)

    assert (run.status, run.summary["ok"], run.summary["feed"]["up"]) == (1, False, False)
    (problem,) = run.summary["problems"]
    assert why in problem
    assert run.logged("ERROR", "the feed is not connected") < len(run.log) - 1
    (gap,) = run.summary["gaps"]
    assert gap["to_ns"] - gap["from_ns"] > SECOND_NS // 2


@pytest.mark.parametrize("location", ["/v2/iex", "/elsewhere"])
def test_a_venue_that_redirects_ends_the_run_with_one_problem(tmp_path: Path, location: str) -> None:
    answer = f"HTTP/1.1 301 Moved Permanently\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    with answering(answer.encode()) as url, pytest.raises(Exception, match="HTTP 301"):
        Run(tmp_path, url, lambda _: False, guards=QUICK)

    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert len(summary["problems"]) == 1
    assert "HTTP 301" in summary["problems"][0]
