"""A live desk on Ray whose connection breaks and whose processes are killed in the middle of repairs."""

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from alpaca_rest_server import alpaca_rest_server, paged, rest_trade, rfc3339
from breakable_venue import OPEN_NS, SYMBOLS, BreakableVenue, write_trading_day
from desk_process import RunningDesk
from session_ray import RayHead, wait_until

from desk.config import load_plan
from desk.inprocess.in_process_desk import run_in_process
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.runs import RunFolder

pytestmark = pytest.mark.ray

MINUTES = 11
SPEED = 15.0
PLAN = """
[session]
name = "repaired"
mode = "paper"
clock = "venue"
calendar = "24/7"
[feed]
kind = "alpaca"
url = "{url}"
rest_url = "{rest}"
symbols = ["AAA", "BBB", "CCC"]
[guards]
max_data_latency_s = 600.0
[flow]
checkpoint_s = 0.2
[consumers]
count = 2
cpus = 0.5
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


class GatedTrades:
    """Pages of the venue's past trades, up to its present. While the gate is shut no request is answered."""

    def __init__(self, trades: list[Trade], venue: BreakableVenue) -> None:
        rows: dict[str, list[dict[str, Any]]] = {symbol: [] for symbol in SYMBOLS}
        for trade in sorted(trades, key=lambda trade: trade.ts_ns):
            more = {"i": trade.trade_id, "s": trade.size, "c": list(trade.conditions) or [" "]}
            rows[trade.symbol].append(rest_trade(trade.ts_ns, trade.price, **more))
        self._page = paged(rows, "trades", 500)
        self._venue = venue
        self._open = threading.Event()
        self.waiting = 0

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        self.waiting += 1
        self._open.wait(60)
        return self._page(query | {"end": min(query["end"], rfc3339(self._venue.present_ns))})

    def shut(self) -> None:
        self.waiting = 0
        self._open.clear()

    def open(self) -> None:
        self._open.set()


def bars_of(path: Path) -> dict[tuple[str, int], dict[str, Any]]:
    return {(row["symbol"], (row["minute_ns"] - OPEN_NS) // MINUTE_NS): row for row in pq.read_table(path).to_pylist()}


def test_gaps_are_repaired_although_history_consumer_and_producer_are_killed(ray_head: RayHead, tmp_path: Path) -> None:
    trades = write_trading_day(tmp_path / "day.parquet", MINUTES)
    (tmp_path / "whole.toml").write_text(REPLAY.format(tape=tmp_path / "day.parquet"))
    whole = RunFolder.create(None, tmp_path / "whole", "whole", 0)
    run_in_process(load_plan(tmp_path / "whole.toml"), whole, show=lambda _: None)

    with BreakableVenue(tmp_path / "day.parquet", SPEED, [(70.0, 90.0)]) as venue:
        history = GatedTrades(trades, venue)
        pages = {
            "/v2/stocks/trades": history.page,
            "/v2/stocks/bars": lambda _: {"bars": {}, "next_page_token": None},
            "/v1/corporate-actions": lambda _: {"corporate_actions": {}, "next_page_token": None},
        }
        with alpaca_rest_server(pages) as rest:
            plan = tmp_path / "live.toml"
            plan.write_text(PLAN.format(url=venue.url, rest=rest.url))
            desk = RunningDesk(plan, tmp_path / "run", ray_head.environment, "--address", ray_head.address)
            with closing(desk):
                wait_until(lambda: history.waiting > 0 or desk.ended, 120, "a request of the first repair")
                assert not desk.ended, desk.finish()[2]
                dead = desk.kill("history")
                desk.wait_for_successor("history", dead)
                history.open()
                wait_until(lambda: "is repaired from" in desk.log() or desk.ended, 60, "the first repair")

                history.shut()
                desk.kill("producer")
                wait_until(lambda: history.waiting > 0 or desk.ended, 120, "a request after the producer's death")
                desk.kill("consumer-00")
                history.open()
                status, _, err = desk.finish()

            assert status == 0, err + desk.log()
            summary = desk.summary()

    assert summary["ok"], summary["problems"]
    assert summary["balanced"]
    assert len(summary["gaps"]) == 2
    assert all(gap["repaired"] for gap in summary["gaps"])
    assert summary["ticks"]["trades"]["backfilled"] > 0
    assert venue.present_ns - OPEN_NS >= MINUTES * 60 * SECOND_NS - SECOND_NS
    bars, expected = bars_of(tmp_path / "run" / "bars.parquet"), bars_of(whole.bars)
    assert {row["flags"] for (_, minute), row in bars.items() if minute == 1} == {"repaired"}
    for symbol in SYMBOLS:
        for minute in range(1, MINUTES - 1):
            row, other = bars[symbol, minute], expected[symbol, minute]
            assert row["flags"] != "partial", (symbol, minute)
            for name in ("open", "high", "low", "close", "volume", "trades"):
                assert row[name] == other[name], (symbol, minute, name)
            assert row["vwap"] == pytest.approx(other["vwap"], rel=1e-9)
