"""The slice of market data in these tests exercises every part of a desk."""

import json
from pathlib import Path

import pyarrow.parquet as pq


def test_every_strategy_decides_and_the_scanner_adds_symbols(undisturbed: Path) -> None:
    summary = json.loads((undisturbed / "summary.json").read_text())
    decisions = pq.read_table(undisturbed / "decisions.parquet")
    bars = pq.read_table(undisturbed / "bars.parquet")

    assert summary["ok"], summary["problems"]
    assert summary["decisions"] > 100
    assert summary["orders"]["filled"] > 50
    assert set(decisions["strategy"].to_pylist()) == {"OpeningRange", "MeanReversion", "Pressure"}
    assert set(bars["symbol"].to_pylist()) > {"SYN0000", "SYN0002"}
    assert set(bars["flags"].to_pylist()) >= {"complete", "repaired"}
