"""Tapes through the whole desk in one process: one exchange day, without knowledge of later rows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from day_tapes import TapeRow, a_tape, ns, row

from desk.config import load_plan
from desk.inprocess.in_process_desk import run_in_process
from desk.model.units import SECOND_NS
from desk.report.summary import Summary
from desk.runs import RunFolder

SEEN = """
import json
from pathlib import Path

from desk import strategy
from desk.scanner import Scanner


class Seen(strategy.Strategy):
    class Params(strategy.Params, frozen=True):
        folder: str

    def __init__(self, params):
        super().__init__(params)
        self.first = None

    def on_second(self, ctx):
        if self.first is None:
            self.first = (ctx.now_ns, ctx.warm)
            ctx.buy(1)
            Path(self.params.folder, f"{ctx.symbol}.json").write_text(json.dumps(self.first))


class Known(Scanner):
    Params = Seen.Params

    def scan(self, market):
        with Path(self.params.folder, "scans.jsonl").open("a") as file:
            file.write(json.dumps([market.now_ns, *market.symbols]) + "\\n")
        return []
"""
PLAN = """
[session]
name = "days"
SESSION
[feed]
kind = "tape"
path = "TAPE"
symbols = SYMBOLS
[[scanners]]
use = "seen_strategy:Known"
every_s = 10
params = { folder = "FOLDER" }
[[strategies]]
use = "seen_strategy:Seen"
params = { folder = "FOLDER" }
"""
OPEN_NS = ns("2024-03-05 14:30")
Run = Callable[..., tuple[Summary, RunFolder]]


def every(seconds: int, symbol: str, first: str, count: int, kind: str = "trade") -> list[TapeRow]:
    start = row(first, symbol, kind)
    return [start._replace(recv_ns=start.recv_ns + number * seconds * SECOND_NS) for number in range(count)]


ROWS = [
    *every(60, "OLD", "2024-03-05 00:10", 5),  # the evening before
    *every(60, "PRE", "2024-03-05 14:20", 5),
    *every(5, "AAA", "2024-03-05 14:30", 60),
    *every(7, "LATE", "2024-03-05 14:32:10", 20),
    *every(9, "QUO", "2024-03-05 14:33", 5, "quote"),
    *every(9, "PRE", "2024-03-05 14:34", 3),
    *every(60, "AAA", "2024-03-05 15:01", 3),  # after the stop
]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the tape in `folder` in one process; what strategies and scanners saw lies in `<name>-seen`."""
    (tmp_path / "seen_strategy.py").write_text(SEEN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    a_tape(tmp_path / "tape.parquet", *ROWS)

    def played(name: str, shards: int = 2, session: str = "", symbols: str = '["*"]') -> tuple[Summary, RunFolder]:
        seen = tmp_path / f"{name}-seen"
        seen.mkdir()
        text = PLAN.replace("SESSION", session).replace("TAPE", str(tmp_path / "tape.parquet"))
        text = text.replace("FOLDER", str(seen)).replace("SYMBOLS", symbols)
        plan = tmp_path / f"{name}.toml"
        plan.write_text(f"{text}\n[consumers]\ncount = {shards}\n", encoding="utf-8")
        results = RunFolder.create(None, tmp_path / name, "run", 0)
        return run_in_process(load_plan(plan), results, show=lambda _: None), results

    return played


def seen(folder: RunFolder) -> dict[str, Any]:
    place = folder.dir.with_name(f"{folder.dir.name}-seen")
    return {path.stem: json.loads(path.read_text()) for path in place.glob("*.json")}


def tables(folder: RunFolder) -> tuple[pa.Table, pa.Table]:
    return pq.read_table(folder.bars), pq.read_table(folder.decisions)


def test_no_strategy_and_no_scanner_knows_a_symbol_before_its_first_row(run: Run) -> None:
    _, folder = run("whole", session='start = "09:30"\nstop = "10:00"')

    first = {symbol: (at_ns - OPEN_NS) // SECOND_NS for symbol, (at_ns, _) in seen(folder).items()}
    assert first == {"PRE": 1, "AAA": 1, "LATE": 131, "QUO": 181}
    assert all(warm for _, warm in seen(folder).values())
    scans = [json.loads(line) for line in Path(f"{folder.dir}-seen", "scans.jsonl").read_text().splitlines()]
    known = {(at_ns - OPEN_NS) // SECOND_NS: symbols for at_ns, *symbols in scans}
    assert known[10] == known[130] == ["AAA", "PRE"]
    assert known[140] == known[180] == ["AAA", "LATE", "PRE"]
    assert known[190] == ["AAA", "LATE", "PRE", "QUO"]


def test_what_is_met_on_the_way_is_the_same_for_any_number_of_shards_and_as_complete_as_if_it_was_named(
    run: Run,
) -> None:
    session = 'start = "09:15"'
    bars, decisions = tables(run("one", 1, session)[1])

    for shards in (2, 3, 4):
        found = tables(run(f"shards-{shards}", shards, session)[1])
        assert found[0].equals(bars)
        assert found[1].equals(decisions)
    named = run("named", session=session, symbols='["AAA", "LATE", "PRE", "QUO"]')[1]
    assert tables(named)[0].equals(bars)
    assert set(bars["symbol"].to_pylist()) == {"AAA", "LATE", "PRE"}
    assert set(bars["flags"].to_pylist()) == {"complete", "partial"}


@pytest.mark.parametrize("symbols", ['["*"]', '["LATE"]'])
def test_rows_outside_the_day_and_outside_the_session_are_skipped_and_the_former_reported_once(
    run: Run, symbols: str
) -> None:
    summary, folder = run("counted", session='start = "09:30"\nstop = "10:00"', symbols=symbols)

    trades, quotes = summary.ticks.trades, summary.ticks.quotes
    assert trades.received + trades.skipped == sum(each.kind == "trade" for each in ROWS)
    assert quotes.received + quotes.skipped == 5
    (warning,) = summary.warnings
    assert warning == (
        "skipped 5 trades of the tape, received outside the exchange day 2024-03-05, "
        "2024-03-05 04:00 to 2024-03-05 20:00 (America/New_York)"
    )
    assert folder.log.read_text(encoding="utf-8").count(warning) == 1
    assert summary.ok
