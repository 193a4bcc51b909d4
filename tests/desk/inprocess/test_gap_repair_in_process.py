"""A desk on a live feed that breaks: its bars, after repair, are those of the tape that the venue plays."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from breakable_venue import OPEN_NS, SYMBOLS, BreakableVenue, PresentHistory, write_trading_day

from desk.config import load_plan
from desk.inprocess.in_process_desk import run_in_process
from desk.model.units import MINUTE_NS
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.venues.alpaca.market.factory import AlpacaFactory
from desk.venues.market_history import MarketHistory

MINUTES = 11
SPEED = 25.0
OUTAGES = ((70.0, 100.0), (210.0, 222.0))
PLAN = """
[session]
name = "breaks"
mode = "paper"
clock = "venue"
calendar = "24/7"
[feed]
kind = "alpaca"
url = "{url}"
symbols = ["AAA", "BBB", "CCC"]
[guards]
max_data_latency_s = 300.0
[bars]
repair_s = 600
[consumers]
count = 2
[[strategies]]
use = "strategies.examples.pressure:Pressure"
"""
REPLAY = """
[session]
name = "whole"
calendar = "24/7"
[feed]
kind = "tape"
path = "{tape}"
[consumers]
count = 2
[[strategies]]
use = "strategies.examples.pressure:Pressure"
"""


def play(folder: Path, name: str, plan: str) -> tuple[Summary, dict[tuple[str, int], dict[str, Any]]]:
    (folder / f"{name}.toml").write_text(plan)
    run = RunFolder.create(None, folder / name, name, 0)
    summary = run_in_process(load_plan(folder / f"{name}.toml"), run, show=lambda _: None)
    rows = pq.read_table(run.bars).to_pylist()
    return summary, {(row["symbol"], (row["minute_ns"] - OPEN_NS) // MINUTE_NS): row for row in rows}


def test_after_repair_the_bars_are_those_of_the_tape_and_the_accounts_balance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trades = write_trading_day(tmp_path / "day.parquet", MINUTES)
    for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.setenv(name, "a key")
    _, expected = play(tmp_path, "whole", REPLAY.format(tape=tmp_path / "day.parquet"))

    with BreakableVenue(tmp_path / "day.parquet", SPEED, OUTAGES) as venue:
        market: MarketHistory = PresentHistory(trades, venue)
        monkeypatch.setattr(AlpacaFactory, "history", lambda *_: market)
        summary, bars = play(tmp_path, "live", PLAN.format(url=venue.url))

    counts = summary.ticks.trades
    assert summary.balanced
    assert summary.ok, summary.problems
    assert counts.received < len(trades)
    assert counts.backfilled > 0
    assert [gap.repaired for gap in summary.gaps] == [True] * len(OUTAGES)
    assert any("repaired 2 gaps" in warning for warning in summary.warnings)
    for minute in (1, 3):
        assert {bars[symbol, minute]["flags"] for symbol in SYMBOLS} == {"repaired"}
    for symbol in SYMBOLS:
        for minute in range(1, MINUTES - 1):
            row, other = bars[symbol, minute], expected[symbol, minute]
            assert row["flags"] != "partial"
            for name in ("open", "high", "low", "close", "volume", "trades"):
                assert row[name] == other[name], (symbol, minute, name)
            assert row["vwap"] == pytest.approx(other["vwap"], rel=1e-9)
