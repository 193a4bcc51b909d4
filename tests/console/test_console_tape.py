"""`desk tape record` and `desk tape convert` as commands: files, exit status, and what a person reads."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
from alpaca_server import AlpacaServer
from live_desk import market, write_live_plan
from running_programs import until
from typer.testing import CliRunner, Result

from console.cli import app

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "from console.cli import main; main()"


def desk(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_a_made_up_market_is_recorded_as_it_is_received(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        '[session]\nname = "day"\n[feed]\nkind = "synthetic"\n[feed.synthetic]\nsymbols = 4\nminutes = 1\n'
        "events_per_s = 50.0\n"
    )

    done = desk("tape", "record", plan, "--out", tmp_path / "day.parquet")

    assert done.exit_code == 0, done.stderr
    assert "SYN0000" in done.stdout
    rows = pq.read_table(tmp_path / "day.parquet")
    received = rows.column("recv_ns").to_pylist()
    assert len(rows) > 1_000
    assert any(time % 1_000_000_000 for time in received), "not only the times of marks"


def test_ctrl_c_keeps_what_a_live_feed_sent(tmp_path: Path) -> None:
    out = tmp_path / "live.parquet"
    with AlpacaServer(market) as server:
        plan = write_live_plan(tmp_path, server.url)
        command = [sys.executable, "-c", COMMAND, "tape", "record", plan, "--out", out]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            assert "subscribed" in process.stdout.readline()
            until(lambda: out.with_name("live.parquet.part").exists(), "the first rows")
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=60)
        finally:
            process.kill()

    assert process.returncode == 0, stderr
    assert "AAA" in stdout
    assert set(pq.read_table(out).column("kind").to_pylist()) == {"trade", "quote"}


def test_a_table_is_converted_and_a_tape_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    table, out = tmp_path / "table.csv", tmp_path / "tape.parquet"
    pcsv.write_csv(pa.table({"t": [1_381_152_600], "s": ["SPY"], "p": [1.5], "q": [100]}), table)
    maps = ("--map", "ts_ns=t:s", "--map", "symbol=s", "--map", "price=p", "--map", "size=q")

    first = desk("tape", "convert", table, "--out", out, *maps)
    again = desk("tape", "convert", table, "--out", out, *maps)
    wrong = desk("tape", "convert", table, "--out", tmp_path / "other.parquet", "--map", "ts_ns=t", *maps[2:])

    assert first.exit_code == 0, first.stderr
    assert "tape.parquet: 1 row" in first.stdout.replace("\n", "")
    assert (again.exit_code, wrong.exit_code) == (2, 2)
    assert "exists" in again.stderr
    assert "without a unit" in wrong.stderr
