"""Consumers are added and removed with the load, and the bars are those of a fixed number of consumers."""

import signal
from contextlib import closing
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
import pytest
from desk_process import RunningDesk, assert_accounts_hold
from session_ray import RayHead, clean_environment, wait_until

from desk.model.units import MINUTE_NS

pytestmark = pytest.mark.ray

PLAN: Final = """
[session]
name = "elastic"
lockstep = false
[feed]
kind = "synthetic"
speed = {speed}
channels = ["trades"]
synthetic = {{ symbols = 40, events_per_s = 40.0, minutes = 60, bursts = false }}
[consumers]
{consumers}
[flow]
write_timeout_ms = 60000
[[strategies]]
use = "tests.actors.slow_strategy:SlowStrategy"
params = {{ wait_us = {wait_us}, until = 7 }}
"""
ELASTIC: Final = """
count = 0
max = 3
time_in_queue_ms = 60000
up_delay_s = 0.5
down_delay_s = 2.0
"""


def test_the_number_of_consumers_follows_the_load_and_no_tick_or_bar_is_another(
    ray_head: RayHead, tmp_path: Path
) -> None:
    plan, fixed_plan = tmp_path / "plan.toml", tmp_path / "fixed.toml"
    plan.write_text(PLAN.format(speed=40, consumers=ELASTIC, wait_us=2000.0))
    fixed_plan.write_text(PLAN.format(speed='"max"', consumers="count = 2", wait_us=0.0))
    fixed = RunningDesk(fixed_plan, tmp_path / "fixed", clean_environment(), "--in-process")

    with closing(RunningDesk(plan, tmp_path / "run", ray_head.environment, "--address", ray_head.address)) as desk:
        wait_until(lambda: "joins" in desk.log() or desk.ended, 60.0, "another consumer")
        wait_until(
            lambda: "is stopped: the keeper has its state" in desk.log() or desk.ended,
            90.0,
            "the end of a consumer that is not needed",
        )
        desk.process.send_signal(signal.SIGTERM)
        status, _, err = desk.finish()

        assert status == 0, err
        assert "consumer-01 is started: " in desk.log()
        summary = desk.summary()
        assert_accounts_hold(summary)
        assert sum(consumer["applied"] for consumer in summary["consumers"]) == summary["ticks"]["trades"]["applied"]
        assert min(consumer["applied"] for consumer in summary["consumers"]) > 0
        assert fixed.finish()[0] == 0
        assert_same_bars_but_the_last(desk.run_dir, fixed.run_dir)


@pytest.mark.parametrize(
    "moment",
    [
        "consumer-01 is started",
        pytest.param("shard 1 joins", marks=pytest.mark.trial),
        pytest.param("is to stop", marks=pytest.mark.trial),
    ],
)
def test_a_stop_while_consumers_come_or_go_is_balanced(moment: str, ray_head: RayHead, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.format(speed=40, consumers=ELASTIC, wait_us=2000.0))

    with closing(RunningDesk(plan, tmp_path / "run", ray_head.environment, "--address", ray_head.address)) as desk:
        wait_until(lambda: moment in desk.log() or desk.ended, 120.0, moment)
        desk.process.send_signal(signal.SIGTERM)
        status, _, err = desk.finish()

    assert status == 0, err
    assert_accounts_hold(desk.summary())


def assert_same_bars_but_the_last(run_dir: Path, fixed: Path) -> None:
    """Up to the minute in which the first of the two was ended."""
    bars, all_bars = (pq.read_table(folder / "bars.parquet").to_pylist() for folder in (run_dir, fixed))
    ended_ns = max(bar["minute_ns"] for bar in bars)
    early = [bar for bar in bars if bar["minute_ns"] < ended_ns]
    assert early == [bar for bar in all_bars if bar["minute_ns"] < ended_ns]
    assert (ended_ns - min(bar["minute_ns"] for bar in bars)) > 3 * MINUTE_NS
