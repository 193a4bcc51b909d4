"""Longer bars in a whole desk: the same for any number of shards, and those of the minutes in bars.parquet."""

import sys
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from desk.config import load_plan
from desk.inprocess.in_process_desk import run_in_process
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.report.summary import Summary
from desk.runs import RunFolder

STRATEGY = """
from desk import strategy


class Volumes(strategy.Strategy):
    \"\"\"Orders as many shares as the bar has, so that the decisions show the bars.\"\"\"

    def on_bar(self, ctx, bar):
        series = ctx.bars_of(bar.timeframe)
        assert (series.minute_ns[-1], series.volume[-1], series.close[-1]) == (bar.minute_ns, bar.volume, bar.close)
        assert bar.timeframe == "5m" and series.flags[-1] == bar.flags
        ctx.buy(bar.volume)
"""
PLAN = """
[session]
name = "longer"
[feed]
kind = "synthetic"
symbols = ["*"]
[feed.synthetic]
symbols = 20
events_per_s = 60.0
minutes = 12
late_fraction = 0.0
[guards]
strategy_budget_ms = 60000  # a busy machine must not add warnings of slow calls
[[strategies]]
use = "volume_orders:Volumes"
bars = ["5m"]
"""


def run(folder: Path, shards: int) -> tuple[Summary, RunFolder]:
    plan = folder / "plan.toml"
    plan.write_text(f"{PLAN}\n[consumers]\ncount = {shards}\n", encoding="utf-8")
    results = RunFolder.create(None, folder / f"run-{shards}", "run", 0)
    return run_in_process(load_plan(plan), results, show=lambda view: None, owns_process=True), results


def test_on_bar_gets_the_bars_that_the_minutes_of_the_run_make_for_any_number_of_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "volume_orders.py").write_text(STRATEGY, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "volume_orders", raising=False)

    summary, one = run(tmp_path, 1)
    _, three = run(tmp_path, 3)

    assert summary.problems == []
    decisions = pq.read_table(one.decisions)
    assert pq.read_table(three.decisions).equals(decisions)
    minutes = pq.read_table(one.bars)
    starts = pc.multiply(pc.divide(minutes["minute_ns"], 5 * MINUTE_NS), 5 * MINUTE_NS)
    longer = minutes.append_column("start_ns", starts).group_by(["symbol", "start_ns"]).aggregate([("volume", "sum")])
    volumes = {(row["symbol"], row["start_ns"]): row["volume_sum"] for row in longer.to_pylist()}
    delay_ns = 5 * MINUTE_NS + SECOND_NS
    handed = {(row["symbol"], row["decision_ns"] - delay_ns): row["quantity"] for row in decisions.to_pylist()}
    last_ns = max(start_ns for _, start_ns in handed)
    assert len(handed) > 20
    assert handed == {key: volume for key, volume in volumes.items() if key[1] <= last_ns}
