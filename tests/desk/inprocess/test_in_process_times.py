"""Tapes with wrong venue times: reported in log and summary, and the same for any number of shards."""

from pathlib import Path

import pytest
from log_lines import log_events

from desk.config import load_plan
from desk.inprocess.in_process_desk import run_in_process
from desk.model.ticks import Quote, Tick, Trade
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.tape.writer import TapeWriter

NS = SECOND_NS
HOUR_NS = 60 * MINUTE_NS
OPEN_NS = 1_767_623_400 * NS  # 2026-01-05 09:30 in New York
SECONDS = 60

PLAN = """
[session]
name = "times"
[feed]
kind = "tape"
path = "PATH"
DELAY
[consumers]
count = SHARDS
[[strategies]]
use = "strategies.examples.pressure:Pressure"
"""


def a_tape(path: Path, trades_ns: int, quotes_ns: int, every: int = 1) -> None:
    """A minute of trades and quotes; of every so many trades one is off by `trades_ns`, quotes are by `quotes_ns`."""
    ticks: list[Tick] = []
    for second in range(SECONDS):
        now_ns = OPEN_NS + second * NS
        off_ns = 0 if second % every else trades_ns
        symbol = "AB"[second % 2]
        ticks.append(Quote(0, symbol, now_ns - quotes_ns, now_ns, 9.9, 500.0, 10.1, 500.0))
        ticks.append(Trade(0, symbol, now_ns - off_ns, now_ns, 10.0, 100.0))
    with TapeWriter(path) as tape:
        tape.write_ticks(ticks)


def play(folder: Path, tape: Path, shards: int = 2, delay_s: float = 0.0) -> tuple[Summary, list[str]]:
    plan, results = folder / f"plan{shards}.toml", RunFolder.create(None, folder / f"run{shards}", "run", 0)
    text = PLAN.replace("PATH", str(tape)).replace("SHARDS", str(shards))
    plan.write_text(text.replace("DELAY", f"delay_s = {delay_s}"), encoding="utf-8")
    summary = run_in_process(load_plan(plan), results, show=lambda _: None)
    return summary, log_events(results.log).splitlines()


@pytest.mark.parametrize(
    ("off_ns", "skew", "outcome"),
    [
        (5 * HOUR_NS, "behind the time of reception (lag or clock; 5 h: local time taken for UTC?)", "arrived later"),
        (
            -5 * HOUR_NS,
            "ahead of the time of reception (clock; 5 h: local time taken for UTC?)",
            "ahead of the session",
        ),
        (-30 * HOUR_NS, "", "have an invalid time"),
    ],
)
def test_times_in_a_wrong_zone_are_named_and_never_ok(tmp_path: Path, off_ns: int, skew: str, outcome: str) -> None:
    a_tape(tmp_path / "day.parquet", off_ns, off_ns)

    summary, log = play(tmp_path, tmp_path / "day.parquet")

    assert (summary.ok, summary.complete) == (False, True)
    assert any(outcome in problem and problem.startswith("all trades") for problem in summary.problems)
    assert sum(bool(skew) and skew in problem for problem in summary.problems) == bool(skew)
    assert any(line.startswith("ERROR ") and outcome in line for line in log)
    if skew:
        assert summary.clock_skew_ms == off_ns / 1_000_000


@pytest.mark.parametrize("shards", [1, 3])
def test_the_report_of_times_does_not_depend_on_the_number_of_shards(tmp_path: Path, shards: int) -> None:
    a_tape(tmp_path / "day.parquet", 5 * HOUR_NS, 5 * HOUR_NS)
    expected, _ = play(tmp_path, tmp_path / "day.parquet")

    summary, _ = play(tmp_path, tmp_path / "day.parquet", shards)

    assert (summary.problems, summary.warnings) == (expected.problems, expected.warnings)
    assert (summary.feed, summary.clock_skew_ms) == (expected.feed, expected.clock_skew_ms)


def test_most_trades_in_a_wrong_zone_are_a_problem_though_the_clock_is_right(tmp_path: Path) -> None:
    a_tape(tmp_path / "day.parquet", 5 * HOUR_NS, 0, every=1)

    summary, _ = play(tmp_path, tmp_path / "day.parquet")

    (problem,) = summary.problems
    assert "arrived later" in problem
    assert summary.clock_skew_ms == 0.0


def test_a_few_late_trades_are_no_problem(tmp_path: Path) -> None:
    a_tape(tmp_path / "day.parquet", 5 * HOUR_NS, 0, every=2)

    summary, _ = play(tmp_path, tmp_path / "day.parquet")

    assert summary.problems == []
    assert summary.ticks.trades.rejected == {"late": SECONDS // 2}


def test_a_tape_that_is_late_by_design_is_sound(tmp_path: Path) -> None:
    a_tape(tmp_path / "day.parquet", 900 * NS, 900 * NS)

    summary, log = play(tmp_path, tmp_path / "day.parquet", delay_s=900.0)

    assert (summary.ok, summary.clock_skew_ms) == (True, 0.0)
    assert summary.ticks.trades.rejected == {}
    assert summary.bars == 2
    assert not any("max_data_latency_s" in line for line in log)
