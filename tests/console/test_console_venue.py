import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest
from typer.testing import CliRunner
from websockets.sync.client import ClientConnection, connect

from console.cli import app
from console.commands.venue import stats_line
from console.commands.venue_options import STANDARD_EVENTS, AccessOptions, SourceOptions
from desk.local_venue.venue_stats import VenueStats
from desk.model.blocks import TRADE

PROJECT = Path(__file__).parents[2]
PATIENCE_S = 30.0


@contextmanager
def running(port_file: Path, *args: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The venue as scripts start it; its port as it says."""
    command = [sys.executable, "-m", "console.cli", "venue", "--port", "0", "--port-file", str(port_file), *args]
    pipes = subprocess.PIPE
    with subprocess.Popen(command, cwd=PROJECT, stdout=pipes, stderr=pipes, text=True) as process:
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not port_file.exists():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline, "the venue never listened"
                os.sched_yield()
            yield process, int(port_file.read_text())
        finally:
            process.kill()


@contextmanager
def subscribed(port: int, **channels: list[str]) -> Iterator[ClientConnection]:
    headers = {"Content-Type": "application/msgpack"}
    with connect(f"ws://127.0.0.1:{port}/v2/test", additional_headers=headers, max_queue=None) as client:
        for request in ({"action": "auth", "key": "k", "secret": "s"}, {"action": "subscribe", **channels}):
            client.recv(PATIENCE_S)
            client.send(msgpack.packb(request))
        assert msgpack.unpackb(client.recv(PATIENCE_S))[0]["T"] == "subscription"
        yield client


def everything(port: int) -> list[tuple[Any, int]]:
    """Each frame of trades until the venue closes, and when it was read."""
    with subscribed(port, trades=["*"]) as client:
        return [(msgpack.unpackb(frame), time.time_ns()) for frame in client]


def page(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
        return json.load(answer)


def test_the_standard_load_bears_all_fields_and_the_time_of_now(tmp_path: Path) -> None:
    load = ("--standard", "--mix", "trades", "--rate", "2000", "--loop", "--limit", "20000", "--restamp", "--single")

    with running(tmp_path / "port", *load, "--seconds", "0.2") as (process, port):
        received = everything(port)
        out, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0, err
    assert "offered" in out.splitlines()[-1]
    for messages, now_ns in received:
        (trade,) = messages
        assert set(trade) == set("TSixpsctz")
        assert 0 <= now_ns - trade["t"].to_unix_nano() < PATIENCE_S * 1e9


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_the_figures_are_reported(tmp_path: Path, number: signal.Signals) -> None:
    small = ("--symbols", "5", "--events-per-s", "100", "--minutes", "1")

    with (
        running(tmp_path / "port", *small) as (process, port),
        subscribed(port, trades=["*"], quotes=["*"]) as client,
    ):
        client.recv(PATIENCE_S)
        clock, stats = page(port, "/clock"), page(port, "/stats")
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0, err
    assert (clock["state"], clock["speed"]) == ("playing", 1.0)
    assert stats["clients"][0]["sent"] >= 1
    first, last = out.splitlines()
    assert first == f"playing synthetic market, seed 1 at ws://127.0.0.1:{port}/v2/iex"
    assert last.startswith("offered ")


@pytest.mark.parametrize(
    ("args", "place"),
    [
        (["--speed", "fast"], "--speed"),
        (["--speed", "0"], "--speed"),
        (["--speed", "2", "--rate", "100"], "--speed, --rate"),
        (["--rate", "-1"], "--rate"),
        (["--mix", "bars"], "--mix"),
        (["--tape", "nowhere.parquet"], "nowhere.parquet"),
        (["--tape", "x", "--standard"], "--tape, --standard"),
        (["--symbols", "0"], "symbols"),
        (["--connection-limit", "0"], "--connection-limit"),
        (["--frame-ms", "0"], "--frame-ms"),
    ],
)
def test_wrong_options_exit_2_and_are_named(args: list[str], place: str) -> None:
    result = CliRunner().invoke(app, ["venue", "--port", "0", *args])

    assert result.exit_code == 2
    assert place in result.stderr
    assert "Traceback" not in result.stderr


def test_a_wrong_fault_script_exits_2_and_is_named(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[faults]]\nkind = "cutt"\n')

    result = CliRunner().invoke(app, ["venue", "--port", "0", "--faults", str(script)])

    assert result.exit_code == 2
    assert "[[faults]] 1 (cutt), kind" in result.stderr
    assert "Did you mean `cut`?" in result.stderr


def test_the_injected_faults_are_reported(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[faults]]\nkind = "disconnect"\ncode = 1000\nafter_events = 10\n[[faults]]\nkind = "no_pong"\n')
    load = ("--standard", "--mix", "trades", "--rate", "2000", "--loop", "--seconds", "0.5", "--faults", str(script))

    with running(tmp_path / "port", *load) as (process, port):
        everything(port)
        stats = page(port, "/stats")
        out, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0, err
    assert stats["faults"] == {"disconnect": 1, "no_pong": 0}
    assert out.splitlines()[-1] == "injected disconnect 1  no_pong 0"


def test_a_port_that_is_taken_exits_1_and_is_named(tmp_path: Path) -> None:
    with running(tmp_path / "port", "--standard") as (_, port):
        result = CliRunner().invoke(app, ["venue", "--standard", "--port", str(port)])

    assert result.exit_code == 1
    assert f"port {port}" in result.stderr


def test_the_standard_load_has_zipf_rates_and_a_seed() -> None:
    options = SourceOptions(None, True, 600, 10_000.0, 390, 1, "trades", None)

    first, again = (list(options.source().blocks()) for _ in range(2))

    events = sum(len(block) for block in first)
    busiest = sum(int((block.symbol == 0).sum()) for block in first)
    hundredth = sum(int((block.symbol == 99).sum()) for block in first)
    assert events == STANDARD_EVENTS
    assert all((block.kind == TRADE).all() for block in first)
    assert busiest / hundredth == pytest.approx(100, rel=0.3)
    assert all((a.price == b.price).all() and (a.symbol == b.symbol).all() for a, b in zip(first, again, strict=True))


def test_the_figures_fit_in_one_line() -> None:
    stats = VenueStats("ended", 3.0, 7, 1_500_000, 500_000.0, 1_499_000, 1, 0.0, 2.5, [])

    assert stats_line(stats) == (
        "offered 1,500,000  in 3.00 s  (500k/s)  sent 1,499,000  slow clients dropped 1  schedule lag at most 2.50 ms"
    )


def test_key_and_secret_come_from_variables_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("of a file\n")
    monkeypatch.setenv("MY_KEY", "of a variable")
    monkeypatch.setenv("RAYDESK_VENUE_KEY", "of its own variable")
    named = door(key="env:MY_KEY", secret=f"file:{tmp_path / 'secret'}").rules()
    own = door().rules()

    assert (named.key, named.secret) == ("of a variable", "of a file")
    assert (own.key, own.secret) == ("of its own variable", None)


@pytest.mark.parametrize("source", ["PK-0123", "env:", "env:NOT_SET", "file:/nowhere/key", "file:/dev/null"])
def test_a_key_on_the_command_line_and_one_that_is_not_there_are_refused(source: str) -> None:
    result = CliRunner().invoke(app, ["venue", "--port", "0", "--key", source])

    assert result.exit_code == 2
    assert "error: --key: " in result.stderr
    assert "PK-0123" not in result.output


def door(key: str | None = None, secret: str | None = None) -> AccessOptions:
    return AccessOptions(0, None, key, secret, None, 1, 64.0, compress=False)
