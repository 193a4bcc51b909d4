"""A desk that starts in mid-session: strategies have the day's minutes and their declared history at the first call."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from breakable_venue import OPEN_NS, BreakableVenue, PresentHistory, write_trading_day

from desk.config import load_plan
from desk.inprocess.in_process_desk import run_in_process
from desk.model.bars import Bar
from desk.model.units import MINUTE_NS
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.venues.alpaca.market.factory import AlpacaFactory

MINUTES = 4
PAST_DAYS = 20
STRATEGY = """
import json
from typing import ClassVar
from pathlib import Path
from desk.strategy import BaseParams, Strategy

class Warm(Strategy):
    class Params(BaseParams, frozen=True):
        path: str

    history: ClassVar = {"1d": 20}
    told = False

    def on_second(self, ctx):
        if self.told:
            return
        self.told = True
        seen = {
            "symbol": ctx.symbol,
            "warm": ctx.warm,
            "days": [float(close) for close in ctx.bars_of("1d").close],
            "minutes": [int(ns) for ns in ctx.bars.minute_ns],
        }
        with Path(self.params.path).open("a") as file:
            file.write(json.dumps(seen) + chr(10))
"""
PLAN = """
[session]
name = "midway"
mode = "paper"
clock = "venue"
calendar = "24/7"
start = "12:00"
[feed]
kind = "alpaca"
url = "{url}"
symbols = ["AAA", "BBB"]
[guards]
max_data_latency_s = 300.0
[[strategies]]
use = "warm_strategy:Warm"
params = {{ path = "{seen}" }}
"""


def play(
    folder: Path, monkeypatch: pytest.MonkeyPatch, history: PresentHistory, venue: BreakableVenue, name: str
) -> tuple[Summary, dict[str, dict[str, Any]]]:
    seen = folder / f"{name}.jsonl"
    (folder / "warm_strategy.py").write_text(STRATEGY)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(AlpacaFactory, "history", lambda *_: history)
    for key in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.setenv(key, "a key")
    (folder / f"{name}.toml").write_text(PLAN.format(url=venue.url, seen=seen))
    run = RunFolder.create(None, folder / name, name, 0)
    summary = run_in_process(load_plan(folder / f"{name}.toml"), run, show=lambda _: None)
    found = [json.loads(line) for line in seen.read_text().splitlines()]
    return summary, {row["symbol"]: row for row in found}


def a_bar(start_ns: int, symbol: str, close: float) -> Bar:
    return Bar(symbol, start_ns, close, close, close, close, 100.0, 100.0 * close, 1, start_ns, 0, start_ns, 0)


def test_the_days_minutes_and_the_declared_bars_are_there_at_the_first_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trades = write_trading_day(tmp_path / "day.parquet", MINUTES)
    with BreakableVenue(tmp_path / "day.parquet", 20.0, []) as venue:
        history = PresentHistory(trades, venue)
        midnight_ns = OPEN_NS - OPEN_NS % (24 * 60 * MINUTE_NS)
        history.bars_of = {
            "1d": [
                a_bar(midnight_ns - day * 24 * 60 * MINUTE_NS, symbol, 100.0 - day)
                for symbol in ("AAA", "BBB")
                for day in range(PAST_DAYS, 0, -1)
            ],
            "1m": [a_bar(OPEN_NS - minute * MINUTE_NS, "AAA", 10.0) for minute in range(60, 0, -1)],
        }
        summary, seen = play(tmp_path, monkeypatch, history, venue, "run")

    assert summary.ok, summary.problems
    assert {symbol: row["warm"] for symbol, row in seen.items()} == {"AAA": True, "BBB": True}
    assert seen["AAA"]["days"] == [100.0 - day for day in range(PAST_DAYS, 0, -1)]
    assert seen["AAA"]["minutes"][:60] == [OPEN_NS - minute * MINUTE_NS for minute in range(60, 0, -1)]
    assert seen["BBB"]["minutes"] == []
    kept = [msgspec.msgpack.decode(path.read_bytes()) for path in (tmp_path / "run" / "history").iterdir()]
    assert {symbol for past, _ in kept for symbol in past} == {"AAA", "BBB"}


def test_without_an_answer_the_strategies_start_cold_and_the_run_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desk.producer.history_requests.PATIENCE_NS", 1_000_000_000)
    trades = write_trading_day(tmp_path / "day.parquet", MINUTES)
    with BreakableVenue(tmp_path / "day.parquet", 20.0, []) as venue:
        history = PresentHistory(trades, venue)
        history.failures += ["too many requests"] * 10_000
        summary, seen = play(tmp_path, monkeypatch, history, venue, "run")

    assert {symbol: row["warm"] for symbol, row in seen.items()} == {"AAA": False, "BBB": False}
    (problem,) = summary.problems
    assert "no history of AAA, BBB" in problem
    assert "too many requests" in problem
