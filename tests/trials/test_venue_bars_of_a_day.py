"""The minutes of a recorded day against the bars that its source published: an oracle that is not ours."""

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from notice_tapes import add_notices, venue_bars

from desk.config import load_plan
from desk.inprocess.in_process_desk import run_in_process
from desk.report.summary import VenueBarsSection
from desk.runs import RunFolder

pytestmark = pytest.mark.trial

DAY_NS = 1_381_104_000_000_000_000, 1_381_190_400_000_000_000
"""2013-10-07, UTC."""
PLAN = """
[session]
name = "oracle"
[feed]
kind = "tape"
path = "TAPE"
symbols = ["*"]
channels = ["trades"]
"""


def play(tape: Path, folder: Path, shards: int) -> VenueBarsSection:
    folder.mkdir()
    (folder / "plan.toml").write_text(PLAN.replace("TAPE", str(tape)) + f"[consumers]\ncount = {shards}\n", "utf-8")
    run = RunFolder.create(None, folder / "run", "run", 0)
    summary = run_in_process(load_plan(folder / "plan.toml"), run, show=lambda _: None, owns_process=True)
    assert summary.ok
    print(f"\n{shards} shards: {summary.venue_bars.compared:,} minutes compared, {summary.venue_bars.differing}")
    return summary.venue_bars


def test_the_volumes_of_a_recorded_day_are_those_of_its_source(shared_data: Path, tmp_path: Path) -> None:
    published = pq.read_table(shared_data / "us-2013-10-minute-bars.parquet")
    minute_ns = published.column("minute_ns")
    of_day = published.filter(pc.and_(pc.greater_equal(minute_ns, DAY_NS[0]), pc.less(minute_ns, DAY_NS[1])))
    bars = venue_bars(of_day.to_pylist())
    tape = add_notices(shared_data / "us-2013-10-07.parquet", bars, tmp_path / "day.parquet")

    one, two = play(tape, tmp_path / "one", 1), play(tape, tmp_path / "two", 2)

    assert one == two
    assert one.compared > 2_300
    # In 15 minutes the published volume is not the sum of the tape's trades, and its prices follow filters of its own.
    assert one.differing["volume"] == 15
