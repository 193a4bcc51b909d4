"""The plan for paper trading, its scanner included, on the local venue: stream and REST from one port."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import pyarrow.parquet as pq
from running_programs import free_port, get, running, until

from desk.model.units import SECOND_NS
from desk.report.desk_view import DeskView
from desk.report.live_snapshot import decode_snapshot

ROOT = Path(__file__).resolve().parents[3]
COMMAND = "from console.cli import main; main()"


def write_plan(folder: Path, port: int) -> Path:
    """configs/paper.toml with the venue's address, symbols and clock, and a scan every 5 s of anything that moves."""
    text = (ROOT / "configs" / "paper.toml").read_text("utf-8")
    for key, value in (
        ("stop", '""\nclock = "venue"'),
        ("symbols", '["SYN0001"]'),
        ("every_s", "5"),
        ("params", "{ min_price = 0.0, min_change = 0.0 }"),
    ):
        text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, count=1, flags=re.MULTILINE)
    text = text.replace("[feed]\n", f'[feed]\nurl = "ws://127.0.0.1:{port}/v2/iex"\n', 1)
    plan = folder / "paper.toml"
    plan.write_text(text, "utf-8")
    return plan


def test_the_scanner_of_the_paper_plan_adds_symbols_of_the_local_venue(tmp_path: Path) -> None:
    port = free_port()
    plan = write_plan(tmp_path, port)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    live = tmp_path / "run" / "live.msgpack"

    def view() -> DeskView:
        return decode_snapshot(live.read_bytes()).view

    market = ["--port", str(port), "--symbols", "20", "--events-per-s", "200", "--minutes", "10", "--speed", "2"]
    desk = ["run", plan, "--in-process", "--run-dir", tmp_path / "run", "--quiet"]
    with running(sys.executable, "-c", COMMAND, "venue", *market, folder=tmp_path / "venue", env=environment):
        until(lambda: get(f"http://127.0.0.1:{port}/clock"), "the venue")
        with running(sys.executable, "-c", COMMAND, *desk, folder=tmp_path / "desk", env=environment) as process:
            until(lambda: view().wanted_by_scanners == 5 and view().subscribed >= 5, "the picks of the scanner")
            picked_ns = view().session_ns or 0
            until(lambda: (view().session_ns or 0) > picked_ns + 20 * SECOND_NS, "ticks of the picks")
            process.send_signal(signal.SIGTERM)
            status = process.wait(60)

    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert status == 0, summary["problems"]
    assert summary["balanced"]
    assert set(pq.read_table(tmp_path / "run" / "bars.parquet")["symbol"].to_pylist()) - {"SYN0001"}
