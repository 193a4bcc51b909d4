import json
import signal
import urllib.request
from pathlib import Path

import pytest
from test_console_venue import PATIENCE_S, running
from typer.testing import CliRunner
from websockets.sync.client import connect

from console.cli import app

LOAD = ("--standard", "--mix", "trades", "--rate", "1000", "--loop")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "RAYDESK_VENUE_KEY",
        "RAYDESK_VENUE_SECRET",
        "ALPACA_API_KEY",
        "ALPACA_SECRET_KEY",
        "RAYDESK_SECRETS_DIR",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("args", "place"),
    [
        (["--relay", "--tape", "day.parquet"], "--relay, --tape"),
        (["--relay", "--faults", "f.toml"], "--relay, --faults"),
        (["--relay", "--feed", "siq"], "--feed"),
        (["--relay", "--relay-url", "http://127.0.0.1/v2/iex"], "--relay-url"),
        (["--relay", "--relay-url", "ws://venue.example/v2/iex"], "--relay-url"),
        (["--relay", "--relay-url", "wss://key:hunter2@venue.example/v2/iex"], "--relay-url"),
        (["--relay-url", "wss://venue.example/v2/iex"], "--relay-url"),
    ],
)
def test_wrong_options_exit_2_and_are_named(args: list[str], place: str) -> None:
    result = CliRunner().invoke(app, ["venue", "--port", "0", *args])

    assert result.exit_code == 2
    assert place in result.stderr
    assert "hunter2" not in result.output


@pytest.mark.parametrize(
    ("present", "missing"),
    [
        ([], "RAYDESK_VENUE_KEY"),
        (["RAYDESK_VENUE_KEY"], "ALPACA_API_KEY and no ALPACA_SECRET_KEY"),
        (["RAYDESK_VENUE_KEY", "ALPACA_API_KEY"], "ALPACA_SECRET_KEY"),
    ],
)
def test_missing_keys_exit_3_and_are_named(present: list[str], missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in present:
        monkeypatch.setenv(name, "PK-0123")

    result = CliRunner().invoke(app, ["venue", "--relay", "--port", "0"])

    assert result.exit_code == 3
    assert f"no {missing}" in result.stderr
    assert "PK-0123" not in result.output


def test_a_relay_serves_a_venue_until_a_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path / "venue", *LOAD) as (_, venue_port):
        monkeypatch.setenv("RAYDESK_VENUE_KEY", "of the relay")
        url = f"ws://127.0.0.1:{venue_port}/v2/iex"
        with running(tmp_path / "relay", "--relay", "--relay-url", url) as (process, port):
            deadline_state = ""
            while deadline_state != "up":
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=PATIENCE_S) as answer:
                    deadline_state = json.load(answer)["state"]
            with connect(f"ws://127.0.0.1:{port}/v2/iex") as client:
                client.recv(PATIENCE_S)
                client.send('{"action":"auth","key":"of the relay","secret":"any"}')
                client.recv(PATIENCE_S)
                client.send('{"action":"subscribe","trades":["LD0000"]}')
                answer = json.loads(client.recv(PATIENCE_S))
                trades = json.loads(client.recv(PATIENCE_S))
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0, err
    assert answer[0]["trades"] == ["LD0000"]
    assert {trade["S"] for trade in trades} == {"LD0000"}
    first, second, last = out.splitlines()
    assert first == f"relaying {url}"
    assert second == f"serving it at ws://127.0.0.1:{port}/v2/iex"
    assert last.startswith("received ")
    assert "of the relay" not in out + err


def test_keys_that_the_venue_refuses_exit_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("right")
    with running(tmp_path / "venue", *LOAD, "--key", f"file:{tmp_path / 'key'}") as (_, venue_port):
        monkeypatch.setenv("RAYDESK_VENUE_KEY", "of the relay")
        monkeypatch.setenv("ALPACA_API_KEY", "wrong-key-1234")
        url = f"ws://127.0.0.1:{venue_port}/v2/iex"

        result = CliRunner().invoke(app, ["venue", "--relay", "--port", "0", "--relay-url", url])

    assert result.exit_code == 3
    assert "402 auth failed" in result.stderr
    assert "wrong-key-1234" not in result.output
