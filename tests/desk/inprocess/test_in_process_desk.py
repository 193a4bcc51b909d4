"""The whole desk in one process: the same plan and market give the same files for any number of shards."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from log_lines import log_events

from desk.config import load_plan
from desk.inprocess.in_process_desk import run_in_process
from desk.model.errors import PlanError
from desk.model.ticks import Cancel, Correction, Tick, Trade
from desk.model.units import SECOND_NS
from desk.report.desk_view import DeskView
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.tape.reader import TapeSource
from desk.tape.writer import TapeWriter

ROOT = Path(__file__).resolve().parents[3]
COMMAND = "from console.cli import main; main()"

STRATEGIES = """
[[strategies]]
name = "opening-range"
use = "strategies.examples.opening_range:OpeningRange"
params = { minutes = 1, risk_usd = 50.0, short = true }
[[strategies]]
name = "mean-reversion"
use = "strategies.examples.mean_reversion:MeanReversion"
SYMBOLS_OF_MEAN_REVERSION
params = { window = 10, entry_z = 1.5, exit_z = 0.5, risk_usd = 500.0 }
[[strategies]]
name = "pressure"
use = "strategies.examples.pressure:Pressure"
params = { ratio = 2.0, hold_s = 5, risk_usd = 500.0 }
"""

SYNTHETIC = """
[session]
name = "made-up"
[feed]
kind = "synthetic"
symbols = ["SYN0000", "SYN0002"]
[feed.synthetic]
seed = 5
symbols = 60
events_per_s = 300.0
minutes = 4
late_fraction = 0.02
[flow]
checkpoint_s = 0.05
[guards]
strategy_budget_ms = 60000  # a busy machine must not add warnings of slow calls
[risk]
max_orders_per_minute = 20
max_daily_loss = 15.0
[[scanners]]
use = "strategies.scanners.unusual_volume:UnusualVolume"
every_s = 20
max_symbols = 5
params = { min_price = 1.0, ratio = 1.5 }
[[scanners]]
use = "strategies.scanners.top_movers:TopMovers"
every_s = 30
max_symbols = 5
params = { min_price = 1.0, min_change = 0.0005 }
""" + STRATEGIES.replace("SYMBOLS_OF_MEAN_REVERSION", 'scanner = "TopMovers"')

SHORT = SYNTHETIC.replace("minutes = 4", "minutes = 2")

TAPE = """
[session]
name = "tape"
start = "09:30"
stop = "09:33"
[feed]
kind = "tape"
path = "PATH"
""" + STRATEGIES.replace("SYMBOLS_OF_MEAN_REVERSION", "")


def run(text: str, folder: Path, shards: int, shown: list[DeskView] | None = None) -> tuple[Summary, RunFolder]:
    folder.mkdir(parents=True)
    plan = folder / "plan.toml"
    plan.write_text(f"{text}\n[consumers]\ncount = {shards}\n", encoding="utf-8")
    results = RunFolder.create(None, folder / "run", "run", 0)
    show = (shown if shown is not None else []).append
    summary = run_in_process(load_plan(plan), results, show=show, owns_process=True)
    return summary, results


def tables(folder: RunFolder) -> tuple[pa.Table, pa.Table]:
    return pq.read_table(folder.bars), pq.read_table(folder.decisions)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> tuple[Summary, RunFolder]:
    """The synthetic market on one shard."""
    return run(SYNTHETIC, tmp_path_factory.mktemp("made-up") / "one", 1)


def test_the_made_up_market_is_a_market_worth_comparing(made_up: tuple[Summary, RunFolder]) -> None:
    summary, folder = made_up
    bars, decisions = tables(folder)

    assert (summary.ok, summary.problems) == (True, [])
    assert set(bars["flags"].to_pylist()) == {"complete", "partial", "repaired"}
    assert set(decisions["strategy"].to_pylist()) == {"opening-range", "mean-reversion", "pressure"}
    outcomes = {outcome.split(":")[1 if ": " in outcome else 0].strip() for outcome in decisions["outcome"].to_pylist()}
    assert {"filled", "max_orders_per_minute", "max_daily_loss"} <= outcomes
    assert len(set(bars["symbol"].to_pylist())) > 4


@pytest.mark.parametrize("shards", [2, 3, 4])
def test_bars_and_decisions_do_not_depend_on_the_number_of_shards(
    made_up: tuple[Summary, RunFolder], tmp_path: Path, shards: int
) -> None:
    _, folder = made_up

    summary, other = run(SYNTHETIC, tmp_path / "run", shards)

    assert summary.balanced
    assert len(summary.consumers) == shards
    assert sum(consumer.applied > 0 for consumer in summary.consumers) > 1
    for expected, found in zip(tables(folder), tables(other), strict=True):
        assert found.equals(expected)
    assert summary.pnl == made_up[0].pnl
    assert summary.orders == made_up[0].orders


def test_nor_on_the_hash_seed_of_the_process(made_up: tuple[Summary, RunFolder], tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(f"{SYNTHETIC}\n[consumers]\ncount = 2\n", encoding="utf-8")

    subprocess.run(
        [sys.executable, "-c", COMMAND, "run", str(plan), "--in-process", "--run-dir", str(tmp_path / "r")],
        env=os.environ | {"PYTHONHASHSEED": "4711"},
        cwd=ROOT,
        check=True,
        capture_output=True,
    )

    for expected, found in zip(tables(made_up[1]), tables(RunFolder.open(tmp_path / "r")), strict=True):
        assert found.equals(expected)


def test_a_slice_of_a_tape_does_not_depend_on_the_number_of_shards(any_day: Path, tmp_path: Path) -> None:
    text = TAPE.replace("PATH", str(any_day))

    runs = [run(text, tmp_path / str(shards), shards) for shards in (1, 3)]

    (first, folder), (summary, other) = runs
    bars, decisions = tables(folder)
    assert first.ok
    assert first.decisions > 10
    assert set(bars["symbol"].to_pylist()) == set(TapeSource(any_day).symbols)
    # The tape's rows before the start are history: flagged so, and not counted as received.
    assert set(bars["flags"].to_pylist()) >= {"complete", "repaired"}
    assert summary.balanced
    assert tables(other)[0].equals(bars)
    assert tables(other)[1].equals(decisions)


CONTRACT = json.loads("""
{ "run_id": "…", "plan": "opening-range", "mode": "replay", "in_process": false, "ok": true, "problems": [],
  "started_ns": 0, "ended_ns": 0, "wall_s": 0.0,
  "ticks": {
    "trades": {"received": 0, "backfilled": 0, "applied": 0, "conflated": 0, "dropped": {}, "rejected": {},
               "skipped": 0},
    "quotes": {"received": 0, "backfilled": 0, "applied": 0, "conflated": 0, "dropped": {}, "rejected": {},
               "skipped": 0},
    "notices": {"received": 0, "backfilled": 0, "applied": 0, "conflated": 0, "dropped": {}, "rejected": {},
                "skipped": 0}
  },
  "balanced": true,
  "events_per_s": {"produced": 0.0, "consumed": 0.0},
  "latency_ms": {
    "data_latency": null,
    "time_in_queue": {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0},
    "in_lane": {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0},
    "on_link": {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0}
  },
  "warnings": [],
  "gaps": [],
  "consumers": [
    {"shard": 0, "pid": 0, "node": "…", "applied": 0, "symbols": 0, "busy": 0.0, "restarts": 0, "cpu_s": 0.0,
     "max_rss_mb": 0.0}
  ],
  "producer": {"pid": 0, "cpu_s": 0.0, "max_rss_mb": 0.0, "reconnects": 0},
  "bars": 0,
  "venue_bars": {"compared": 0, "equal": 0, "agreement": null, "differing": {}, "first": []},
  "decisions": 0,
  "orders": {"submitted": 0, "filled": 0, "canceled": 0, "rejected": 0, "refused_by_risk": 0,
    "refused": {}},
  "clock_skew_ms": 0.0,
  "feed": {"kind": "synthetic", "name": "", "up": true, "reconnects": 0, "refused_symbols": [],
           "entitlement": "", "delay_s": 0.0},
  "pnl": {"realized": 0.0, "unrealized": 0.0, "fees": 0.0} }
""")
"""What scripts rely on, in replay at speed "max"."""


def shape(value: Any) -> Any:
    match value:
        case dict():
            return {key: shape(each) for key, each in value.items()}
        case list():
            return [shape(each) for each in value[:1]]
        case _:
            return type(value)


def test_the_summary_has_the_fields_that_scripts_rely_on_and_no_others(made_up: tuple[Summary, RunFolder]) -> None:
    summary, folder = made_up

    written = json.loads(folder.summary.read_text(encoding="utf-8"))
    assert sum(written["orders"]["refused"].values()) == written["orders"]["refused_by_risk"]

    assert Summary.of(written) == summary
    written["orders"]["refused"] = {}  # by rule: names of the gate's own
    assert shape(written) == shape(CONTRACT)
    assert written["in_process"] is True


def test_the_summary_tells_what_the_files_hold(made_up: tuple[Summary, RunFolder]) -> None:
    summary, folder = made_up
    bars, decisions = tables(folder)

    assert (summary.bars, summary.decisions) == (bars.num_rows, decisions.num_rows)
    refused = sum(outcome.startswith("refused") for outcome in decisions["outcome"].to_pylist())
    assert summary.orders.refused_by_risk == refused
    assert summary.orders.submitted == decisions.num_rows - refused
    assert summary.orders.filled == decisions["outcome"].to_pylist().count("filled")
    assert summary.started_ns < summary.ended_ns


def test_the_run_folder_is_complete(made_up: tuple[Summary, RunFolder]) -> None:
    _, folder = made_up

    names = {path.name for path in folder.dir.iterdir()}

    assert {"summary.json", "bars.parquet", "decisions.parquet", "ledger.db", "desk.log", "report.html"} <= names
    assert "ended: ok=True balanced=True" in log_events(folder.log)


def test_what_a_strategy_raises_is_a_problem_of_the_run_and_not_its_end(tmp_path: Path) -> None:
    text = SHORT + '[[strategies]]\nname = "broken"\nuse = "plan_strategies:RaisingStrategy"\nsymbols = ["SYN0000"]\n'
    shown: list[DeskView] = []

    summary, folder = run(text, tmp_path / "run", 2, shown)

    (problem,) = summary.problems
    assert problem.startswith("strategy broken was stopped for SYN0000: on_second raised ZeroDivisionError: by nothing")
    assert (summary.ok, summary.balanced, summary.complete) == (False, True, True)
    assert "by nothing" in log_events(folder.log)
    assert shown[-1].state == "closed"
    assert shown[-1].notes[-1] == "strategy broken was stopped for SYN0000: ZeroDivisionError: by nothing"
    assert shown[-1].progress == 1.0
    assert max(view.produced_per_s for view in shown) > 0
    assert max(view.consumed_per_s for view in shown) > 0


def test_calls_that_do_not_end_are_ended_and_named_and_the_rest_continues(tmp_path: Path) -> None:
    text = SHORT.replace("[guards]", "[guards]\nhang_s = 0.5") + STUCK.replace("MARKER", str(tmp_path / "marker"))

    summary, folder = run(text, tmp_path / "run", 2)

    assert len(summary.problems) == 2
    strategy, scanner = summary.problems
    assert strategy.startswith(
        "strategy stuck was stopped for SYN0000: on_second raised desk.inprocess.hang_watch.CallHangsError: no "
        "progress for 0.5 s"
    )
    assert scanner.startswith("scanner Stuck failed: desk.inprocess.hang_watch.CallHangsError: no progress for 0.5 s")
    assert summary.balanced
    assert "on_second of stuck on SYN0000 has not ended for" in log_events(folder.log)


STUCK = """
[[scanners]]
use = "plan_strategies:HangingScanner"
name = "Stuck"
every_s = 60
[[strategies]]
name = "stuck"
use = "plan_strategies:HangingStrategy"
symbols = ["SYN0000"]
params = { marker = "MARKER" }
"""


def test_a_process_that_a_strategy_leaves_is_ended_and_named(tmp_path: Path) -> None:
    text = SHORT + '[[strategies]]\nname = "parent"\nuse = "plan_strategies:ForkingStrategy"\nsymbols = ["SYN0000"]\n'

    summary, _ = run(text, tmp_path / "run", 2)

    (problem,) = summary.problems
    found = re.fullmatch(r"a strategy or scanner left process (\d+) \(sleep\) running: it was killed", problem)
    assert found is not None, problem
    assert not Path("/proc", found[1]).exists()


def test_a_plan_that_does_not_fit_its_data_starts_nothing(tmp_path: Path) -> None:
    text = SYNTHETIC.replace('name = "made-up"', 'name = "made-up"\nstart = "15:00"')

    with pytest.raises(PlanError, match="when synthetic market, seed 5 has no rows"):
        run(text, tmp_path / "run", 1)


REVISED_TAPE = """
[session]
name = "revised"
[feed]
kind = "tape"
path = "PATH"
symbols = ["*"]
[bars]
revise_s = 60
"""


def test_a_repeated_corrected_or_cancelled_trade_counts_as_it_stands_and_the_accounts_balance(
    tmp_path: Path,
) -> None:
    first = 1_709_649_000 * SECOND_NS
    ticks: list[Tick] = []

    def put(kind: type, seconds: float, *fields: Any, **more: Any) -> None:
        ts_ns = first + round(seconds * SECOND_NS)
        ticks.append(kind(len(ticks), "AAA", ts_ns, ts_ns, *fields, **more))

    for seconds, price, trade_id in ((1, 100.0, 2**64 - 1), (2, 1000.0, 6), (3, 100.5, 7), (3, 100.5, 7)):
        put(Trade, seconds, price, 100.0, trade_id=trade_id)
    put(Correction, 5, 7, 100.25, 10.0, trade_id=8, original_price=100.5, original_size=100.0)
    put(Cancel, 70, 6)
    put(Cancel, 71, 6)
    put(Correction, 72, 99, 1.0, 1.0)
    put(Cancel, 200, 8)
    path = tmp_path / "day.parquet"
    with TapeWriter(path) as tape:
        tape.write_ticks(ticks)

    found = [run(REVISED_TAPE.replace("PATH", str(path)), tmp_path / f"{shards}", shards) for shards in (1, 3)]

    for summary, folder in found:
        trades = summary.ticks.trades
        assert (summary.ok, trades.received, trades.applied) == (True, 9, 5)
        assert trades.rejected == {"duplicate": 2, "unmatched": 1, "late": 1}
        (bar,) = tables(folder)[0].to_pylist()
        assert (bar["open"], bar["high"], bar["close"], bar["volume"], bar["trades"]) == (
            *(100.0, 100.25, 100.25),
            *(110.0, 2),
        )
        assert isinstance(summary.warnings, list)
        assert [line.split(":")[0] for line in summary.warnings] == ["rejected 2 `duplicate`", "rejected 1 `unmatched`"]
