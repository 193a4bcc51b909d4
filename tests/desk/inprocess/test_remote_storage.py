"""A desk with remote tape, ledger and results decides and trades as with local files."""

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from log_lines import log_events
from postgres_server import PASSWORD, PostgresServer
from s3_server import S3Server

from desk.config import load_plan
from desk.feeds.synthetic.market import SyntheticConfig, SyntheticMarket
from desk.inprocess.in_process_desk import run_in_process
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.tape.writer import TapeWriter

OPEN_NS = 1_767_623_400_000_000_000  # 2026-01-05 09:30 in New York

PLAN = """
[session]
name = "elsewhere"
[guards]
strategy_budget_ms = 60000  # a busy machine must not add warnings of slow calls
[consumers]
count = 2
[[strategies]]
name = "opening-range"
use = "strategies.examples.opening_range:OpeningRange"
params = { minutes = 1, risk_usd = 50.0, short = true }
[[strategies]]
name = "pressure"
use = "strategies.examples.pressure:Pressure"
params = { ratio = 2.0, hold_s = 5, risk_usd = 500.0 }
"""


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three minutes of a made-up market."""
    path = tmp_path_factory.mktemp("tape") / "day.parquet"
    market = SyntheticMarket(
        SyntheticConfig(seed=5, symbols=6, events_per_s=60.0, start_ns=OPEN_NS, duration_s=180, bursts=True)
    )
    with TapeWriter(path) as writer:
        for block in market.blocks():
            writer.write(block)
    return path


def run(folder: Path, name: str, tape: str, more: str = "") -> tuple[Summary, RunFolder]:
    plan = folder / f"{name}.toml"
    plan.write_text(f'{PLAN}\n[feed]\nkind = "tape"\npath = "{tape}"\n{more}', encoding="utf-8")
    results = RunFolder.create(None, folder / name, name, 0)
    return run_in_process(load_plan(plan), results, show=lambda _: None), results


@pytest.fixture(scope="module")
def at_home(tape: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Summary, RunFolder]:
    """Everything on this disk."""
    return run(tmp_path_factory.mktemp("home"), "home", str(tape))


def logged(folder: RunFolder) -> str:
    for handler in logging.getLogger("raydesk").handlers:
        handler.flush()
    return log_events(folder.log)


def test_tape_ledger_and_results_elsewhere_change_nothing(
    at_home: tuple[Summary, RunFolder],
    tape: Path,
    tmp_path: Path,
    postgres: PostgresServer,
    s3: S3Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (home, folder), bucket = at_home, s3.objects["desk"]
    bucket["tapes/day.parquet"] = tape.read_bytes()
    postgres.execute("CREATE SCHEMA of_house AUTHORIZATION locked")
    ledger = postgres.url("locked", options="-csearch_path=of_house")
    monkeypatch.setenv("RAYDESK_LEDGER_PASSWORD", PASSWORD)

    away, results = run(
        tmp_path,
        "away",
        s3.url("desk/tapes/*.parquet"),
        f'[ledger]\nurl = "{ledger}"\n[results]\nurl = "{s3.url("desk/runs")}"\n',
    )

    assert (away.ok, away.warnings) == (True, home.warnings)
    assert away.orders == home.orders
    assert away.orders.filled > 10
    assert away.pnl == home.pnl
    for name in ("bars.parquet", "decisions.parquet"):
        assert pq.read_table(results.dir / name).equals(pq.read_table(folder.dir / name))
    with closing(sqlite3.connect(folder.ledger)) as book:
        for table, order in (("orders", "client_order_id"), ("fills", "client_order_id, number"), ("notes", "name")):
            columns = "*" if table == "notes" else "client_order_id, symbol, quantity"
            rows = "notes WHERE name <> 'identity'" if table == "notes" else table
            expected = book.execute(f"SELECT {columns} FROM {rows} ORDER BY {order}").fetchall()
            collated = order.replace(",", ' COLLATE "C",') if table == "fills" else f'{order} COLLATE "C"'
            found = postgres.execute(f"SELECT {columns} FROM of_house.{rows} ORDER BY {collated}")
            assert expected == [tuple(row) for row in found]
    copied = {key.removeprefix("runs/away/") for key in bucket if key.startswith("runs/")}
    assert copied == {"bars.parquet", "decisions.parquet", "report.html", "desk.log", "summary.json"}
    assert json.loads(bucket["runs/away/summary.json"]) == results.read_summary()
    everything = [path.read_bytes() for path in results.dir.rglob("*") if path.is_file()]
    assert not any(PASSWORD.encode() in content for content in [*everything, *bucket.values()])


def test_a_sqlite_ledger_goes_along_whole(tape: Path, tmp_path: Path) -> None:
    _, folder = run(tmp_path, "run", str(tape), f'[results]\nurl = "file://{tmp_path}/there"\n')

    copied = tmp_path / "there" / "run"
    assert {path.name for path in copied.iterdir()} == {
        "bars.parquet", "decisions.parquet", "report.html", "desk.log", "summary.json", "ledger.db",
    }  # fmt: skip
    orders = []
    for ledger in (folder.ledger, copied / "ledger.db"):
        with closing(sqlite3.connect(ledger)) as book:
            orders.append(book.execute("SELECT * FROM orders").fetchall())
    assert orders[0] == orders[1] != []
    assert f"results copied to file://{copied}" in logged(folder)


def test_results_that_cannot_be_copied_are_reported_and_stay_here(
    at_home: tuple[Summary, RunFolder],
    tape: Path,
    tmp_path: Path,
    s3: S3Server,
    capsys: pytest.CaptureFixture[str],
) -> None:
    summary, folder = run(tmp_path, "run", str(tape), f'[results]\nurl = "{s3.url("nobucket/runs")}"\n')

    assert (summary.ok, summary.complete) == (True, True)
    told = f"the results could not be copied; they are in {folder.dir}: s3://nobucket/runs/run: "
    assert told in summary.warnings[0]
    assert "NO_SUCH_BUCKET" in summary.warnings[0]
    assert folder.read_summary()["warnings"] == summary.warnings
    assert f"ERROR {told}" in logged(folder)
    assert capsys.readouterr().err.startswith(f"error: {told}")
    assert pq.read_table(folder.bars).equals(pq.read_table(at_home[1].bars))
