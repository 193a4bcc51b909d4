"""A tape with a venue's notices, played by the whole desk: halts, price bands, and bars against the venue's own."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest
from made_up_tape import OPEN_NS, market, write_tape
from notice_tapes import add_notices, changed, venue_bars
from running_programs import running, until

from desk import strategy
from desk.config import load_plan
from desk.inprocess.in_process_desk import run_in_process
from desk.model.notices import Notice, PriceBands, TradingStatus
from desk.model.units import SECOND_NS
from desk.report.summary import Summary
from desk.runs import RunFolder

MINUTES = 4
HALTED = "SYN0001"
HALT_NS, RESUME_NS = OPEN_NS + 60 * SECOND_NS, OPEN_NS + 120 * SECOND_NS
PLAN = """
[session]
name = "notices"
[feed]
kind = "tape"
path = "TAPE"
symbols = ["*"]
[flow]
checkpoint_s = 0.05
[guards]
strategy_budget_ms = 60000
[risk]
max_orders_per_minute = 100000
[[strategies]]
use = "test_in_process_notices:InAndOut"
"""


class InAndOut(strategy.Strategy):
    """Buys when it is flat, and sells what it holds, each ten seconds."""

    def on_second(self, ctx: strategy.Context) -> None:
        if ctx.now_ns // SECOND_NS % 10 or ctx.open_orders:
            return
        if ctx.position.quantity:
            ctx.close()
        else:
            ctx.buy(1)


class Played(NamedTuple):
    """The results of a run."""

    summary: Summary
    folder: RunFolder

    @property
    def bars(self) -> Any:
        return pq.read_table(self.folder.bars)

    @property
    def decisions(self) -> Any:
        return pq.read_table(self.folder.decisions)


def run(tape: Path, folder: Path, shards: int) -> Played:
    return play(PLAN.replace("TAPE", str(tape)) + f"\n[consumers]\ncount = {shards}\n", folder)


def play(text: str, folder: Path) -> Played:
    folder.mkdir(parents=True)
    plan = folder / "plan.toml"
    plan.write_text(text, encoding="utf-8")
    results = RunFolder.create(None, folder / "run", "run", 0)
    return Played(run_in_process(load_plan(plan), results, show=lambda _: None, owns_process=True), results)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Played, list[Played]]:
    """A run of a tape without notices, and runs with them on one and three shards."""
    folder = tmp_path_factory.mktemp("notices")
    plain = write_tape(folder / "plain.parquet", market(60 * MINUTES, 40.0))
    clean = run(plain, folder / "clean", 1)
    bars = venue_bars(clean.bars.to_pylist())
    wrong = changed(bars[3], close=bars[3].close + 1.0, volume=bars[3].volume + 100.0)
    early = changed(bars[5], volume=1.0)
    update = changed(bars[5], updated=True, received_ns=bars[5].received_ns + 30 * SECOND_NS)
    notices: list[Notice] = [*bars[:3], wrong, bars[4], early, update, *bars[6:]]
    notices += [TradingStatus(0, HALTED, HALT_NS, HALT_NS + 1, "H", "Trading Halt")]
    notices += [TradingStatus(0, HALTED, RESUME_NS, RESUME_NS + 1, "T", "Trading Resumption")]
    notices += [PriceBands(0, "SYN0002", OPEN_NS, OPEN_NS + 1, 0.0, 0.01)]
    tape = add_notices(plain, notices, folder / "day.parquet")
    return clean, [run(tape, folder / f"{shards}", shards) for shards in (1, 3)]


def test_notices_are_counted_apart_and_change_no_bar(played: tuple[Played, list[Played]]) -> None:
    clean, runs = played

    for found in runs:
        counts = found.summary.ticks.notices
        assert found.summary.ok
        assert (counts.received, counts.applied, counts.rejected) == (len(clean.bars) + 4, counts.received, {})
        assert found.summary.ticks.trades == clean.summary.ticks.trades
        assert found.bars.equals(clean.bars)


def test_decisions_are_the_same_on_any_number_of_shards(played: tuple[Played, list[Played]]) -> None:
    _, (one, three) = played

    assert one.decisions.equals(three.decisions)
    assert one.summary.orders == three.summary.orders


def test_a_halted_symbol_takes_no_entries_and_fills_nothing(played: tuple[Played, list[Played]]) -> None:
    _, (found, _) = played

    rows = [row for row in found.decisions.to_pylist() if row["symbol"] == HALTED]
    within = [row for row in rows if HALT_NS < row["decision_ns"] <= RESUME_NS]
    entries = {row["outcome"] for row in within if row["side"] == "buy"}
    assert entries <= {"refused: halted: the venue has halted trading in the symbol"}
    assert len(within) <= 6
    assert found.summary.orders.refused == {"halted": len([row for row in within if row["side"] == "buy"])}
    assert {row["outcome"] for row in rows if row["decision_ns"] > RESUME_NS} == {"filled"}


def test_nothing_fills_outside_of_the_price_bands(played: tuple[Played, list[Played]]) -> None:
    clean, (found, _) = played

    def outcomes(run: Played) -> set[str]:
        return {row["outcome"] for row in run.decisions.to_pylist() if row["symbol"] == "SYN0002"}

    assert outcomes(clean) == {"filled"}
    assert outcomes(found) == {"expired"}


def test_our_minutes_are_compared_with_the_venue_s(played: tuple[Played, list[Played]]) -> None:
    clean, runs = played
    wrong = clean.bars.to_pylist()[3]

    for found in runs:
        bars = found.summary.venue_bars
        complete = sum(flags == "complete" for flags in clean.bars.column("flags").to_pylist())
        assert (bars.compared, bars.equal) == (complete, complete - 1)
        assert bars.differing == {"close": 1, "volume": 1}
        assert [(each.symbol, each.minute_ns, each.field) for each in bars.first] == [
            (wrong["symbol"], wrong["minute_ns"], "close"),
            (wrong["symbol"], wrong["minute_ns"], "volume"),
        ]
        assert bars.first[0].theirs == pytest.approx(wrong["close"] + 1.0)
        (warning,) = [line for line in found.summary.warnings if "differ from the venue's own bars" in line]
        assert warning.startswith(f"1 of {complete} minutes differ from the venue's own bars (close 1, volume 1)")
        page = found.folder.report.read_text(encoding="utf-8")
        assert re.search("Bars against the venue.{0,6}s own", page)
        written = json.loads(found.folder.summary.read_text(encoding="utf-8"))
        assert written["venue_bars"]["agreement"] == bars.agreement
    assert clean.summary.venue_bars.agreement is None
    assert "Bars against" not in clean.folder.report.read_text(encoding="utf-8")


LIVE = """
[session]
name = "live"
mode = "paper"
clock = "venue"
calendar = "24/7"
[feed]
kind = "alpaca"
url = "ws://127.0.0.1:{port}/v2/sip"
channels = ["trades", "quotes", "lulds"]
symbols = ["*"]
[tape]
record = true
[consumers]
count = 2
[guards]
max_data_latency_s = 600.0
max_clock_skew_ms = 600000
"""


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[int]:
    """A local venue that plays a tape with a halt at sixty times real time, and sends bars of its own."""
    plain = write_tape(tmp_path / "plain.parquet", market(60 * MINUTES, 40.0))
    notices: list[Notice] = [
        PriceBands(0, "SYN0002", OPEN_NS, OPEN_NS + 1, 0.01, 1e6),
        TradingStatus(0, HALTED, HALT_NS, HALT_NS + 1, "H", "Trading Halt"),
        TradingStatus(0, HALTED, RESUME_NS, RESUME_NS + 1, "T", "Trading Resumption"),
    ]
    tape = add_notices(plain, notices, tmp_path / "day.parquet")
    port_file = tmp_path / "port"
    places = ("--tape", tape, "--speed", 60, "--port", 0, "--port-file", port_file)
    with running(sys.executable, "-m", "console.cli", "venue", *places, folder=tmp_path / "venue"):
        yield int(until(lambda: port_file.exists() and port_file.read_text(), "the venue"))


def test_a_live_feed_has_notices_and_its_recording_replays_them(venue: int, tmp_path: Path) -> None:
    live = play(LIVE.format(port=venue), tmp_path / "live")
    tape = tmp_path / "live" / "run" / "tape"

    replay = run(tape, tmp_path / "replay", 2)

    for found in (live, replay):
        counts = found.summary.ticks.notices
        assert (found.summary.problems, found.summary.balanced) == ([], True)
        assert counts.received >= counts.applied > 0
        bars = found.summary.venue_bars
        assert bars.compared == bars.equal > 0
    assert replay.summary.ticks.notices.received == live.summary.ticks.notices.received
    assert replay.summary.venue_bars.compared >= live.summary.venue_bars.compared  # its first minutes are complete
