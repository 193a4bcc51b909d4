"""Whole days, made up and recorded, on Ray and in one process. `make trials` shows the figures."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

pytestmark = [pytest.mark.trial, pytest.mark.ray]

DESK = Path(sys.executable).parent / "desk"
EVENTS = 1_221_347
STRATEGIES = """
[[strategies]]
use = "strategies.examples.opening_range:OpeningRange"
[[strategies]]
use = "strategies.examples.mean_reversion:MeanReversion"
[[strategies]]
use = "strategies.examples.pressure:Pressure"
"""


def run(plan: Path, run_dir: Path, *flags: str) -> dict[str, Any]:
    """Run a plan as a user would, on a Ray of its own; its summary."""
    command = [DESK, "run", plan, "--run-dir", run_dir, "--quiet", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = msgspec.json.decode((run_dir / "summary.json").read_bytes())
    events = sum(summary["ticks"][kind]["received"] for kind in ("trades", "quotes"))
    seconds = events / summary["events_per_s"]["produced"]
    figures = f"{events:,} events in {seconds:.2f} s after start-up, {summary['decisions']:,} decisions"
    print(f"\n{' '.join(flags):28} {figures}")
    return summary


def day_plan(folder: Path, tape: Path, strategies: str = "") -> Path:
    plan = folder / "day.toml"
    plan.write_text(f'[session]\nname = "day"\n[feed]\nkind = "tape"\npath = "{tape}"\n{strategies}')
    return plan


def assert_same(a: Path, b: Path) -> None:
    for name in ("bars.parquet", "decisions.parquet"):
        assert pq.read_table(a / name).equals(pq.read_table(b / name)), f"{name} of {a.name} and {b.name}"


def test_a_day_without_strategies_is_the_same_everywhere_and_agrees_with_the_minute_bars(
    shared_data: Path, tmp_path: Path
) -> None:
    plan = day_plan(tmp_path, shared_data / "us-2013-10-07.parquet")

    summaries = [run(plan, tmp_path / "alone", "--in-process", "--consumers", "1")]
    summaries += [run(plan, tmp_path / f"on-{n}", "--consumers", str(n)) for n in (1, 2, 4)]

    for summary in summaries:
        assert summary["ok"]
        applied = sum(summary["ticks"][kind]["applied"] for kind in ("trades", "quotes"))
        assert applied == EVENTS
    for n in (1, 2, 4):
        assert_same(tmp_path / "alone", tmp_path / f"on-{n}")
    agreeing, minutes = volume_agreement(tmp_path / "alone" / "bars.parquet", shared_data)
    print(f"volume agrees in {agreeing:,} of {minutes:,} minutes ({agreeing / minutes:.2%})")
    assert agreeing >= 0.99 * minutes


@pytest.mark.parametrize("day", ["made up", "us-2013-10-07", "us-2013-10-08"])
def test_a_day_with_three_strategies_in_lockstep_is_the_same_everywhere(
    day: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if day == "made up":
        tape = request.getfixturevalue("made_up_day")
    else:
        tape = request.getfixturevalue("shared_data") / f"{day}.parquet"
    plan = day_plan(tmp_path, tape, STRATEGIES)

    run(plan, tmp_path / "alone", "--in-process", "--consumers", "1")
    for n in (1, 2, 4):
        run(plan, tmp_path / f"on-{n}", "--consumers", str(n))

    for n in (1, 2, 4):
        assert_same(tmp_path / "alone", tmp_path / f"on-{n}")


def volume_agreement(bars: Path, shared_data: Path) -> tuple[int, int]:
    """Minutes of 10-07 in which our volume is the published one, and published minutes."""
    ours = pq.read_table(bars, columns=["symbol", "minute_ns", "volume"])
    published = pq.read_table(shared_data / "us-2013-10-minute-bars.parquet")
    last_ns = pc.max(ours["minute_ns"]).as_py()
    day = published.filter(pc.less_equal(published["minute_ns"], last_ns)).select(["symbol", "minute_ns", "volume"])
    both = day.join(ours, ["symbol", "minute_ns"], right_suffix="_ours", join_type="left outer")
    agreeing = pc.sum(pc.fill_null(pc.equal(both["volume"], both["volume_ours"]), fill_value=False)).as_py()
    return agreeing, len(day)
