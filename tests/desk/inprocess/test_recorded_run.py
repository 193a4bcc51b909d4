"""A live run that is recorded: its tape replays to the same bars."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from running_programs import running, until

from desk.config import load_plan
from desk.inprocess.in_process_desk import run_in_process
from desk.report.summary import Summary
from desk.runs import RunFolder

LIVE = """
[session]
name = "live"
mode = "paper"
clock = "venue"
calendar = "24/7"
[feed]
kind = "alpaca"
url = "ws://127.0.0.1:{port}/v2/sip"
symbols = ["*"]
[tape]
record = true
[consumers]
count = 2
[guards]
max_data_latency_s = 600.0
max_clock_skew_ms = 600000
"""
REPLAY = """
[session]
name = "replay"
calendar = "24/7"
[feed]
kind = "tape"
path = "{tape}"
symbols = ["*"]
[consumers]
count = 2
"""


def run(plan: str, folder: Path) -> Summary:
    folder.mkdir()
    path = folder / "plan.toml"
    path.write_text(plan)
    results = RunFolder.create(None, folder / "run", "run", 0)
    return run_in_process(load_plan(path), results, show=lambda _: None)


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[int]:
    port_file = tmp_path / "port"
    market = ("--symbols", 8, "--events-per-s", 200, "--minutes", 3, "--speed", 60)
    command = (sys.executable, "-m", "console.cli", "venue", *market, "--port", 0, "--port-file", port_file)
    with running(*command, folder=tmp_path / "venue"):
        yield int(until(lambda: port_file.exists() and port_file.read_text(), "the venue"))


def test_the_tape_of_a_live_run_replays_to_the_same_bars(venue: int, tmp_path: Path) -> None:
    live = run(LIVE.format(port=venue), tmp_path / "live")

    tape = tmp_path / "live" / "run" / "tape"
    assert [path.suffix for path in tape.iterdir()] == [".parquet"]
    assert (
        pq.read_table(tape).num_rows
        == live.ticks.trades.received + live.ticks.quotes.received + live.ticks.notices.received
    )
    replay = run(REPLAY.format(tape=tape), tmp_path / "replay")
    assert live.problems == []
    assert [warning for warning in live.warnings if "the tape lacks" in warning] == []
    assert (live.bars, replay.ok) == (replay.bars, True)
    bars = [pq.read_table(tmp_path / name / "run" / "bars.parquet").drop(["flags"]) for name in ("live", "replay")]
    assert bars[0].equals(bars[1])
