"""The desk as Ray actors: the same results as in one process, orderly ends, and no silence when an actor dies."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from heads import BIN, ROOT, RayHead, clean_environment, wait_until
from running import RunningDesk, is_alive

pytestmark = pytest.mark.ray

ACTORS = ["producer", "consumer-00", "consumer-01", "scanner", "broker", "ledger", "keeper"]

STRATEGIES = """
[[strategies]]
use = "strategies.examples.opening_range:OpeningRange"
params = { minutes = 5 }
[[strategies]]
use = "strategies.examples.mean_reversion:MeanReversion"
[[strategies]]
use = "strategies.examples.pressure:Pressure"
"""

ENDLESS = (
    """
[session]
name = "endless"
[feed]
kind = "synthetic"
speed = 2.0
synthetic = { symbols = 20, events_per_s = 200.0, minutes = 390 }
symbols = ["SYN0000", "SYN0001", "SYN0002", "SYN0003"]
[flow]
checkpoint_s = 0.1
[consumers]
count = 2
cpus = 0.5
[[scanners]]
use = "strategies.scanners.top_movers:TopMovers"
every_s = 1
params = { min_change = 0.0001 }
"""
    + STRATEGIES
)


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    plan = tmp_path / "endless.toml"
    plan.write_text(ENDLESS)
    return plan


@pytest.fixture
def started(ray_head: RayHead, endless: Path, tmp_path: Path) -> Iterator[RunningDesk]:
    desk = RunningDesk(endless, tmp_path / "run", ray_head.environment, "--address", ray_head.address)
    yield desk
    desk.end()


@pytest.fixture(scope="module")
def slice_plan(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = tmp_path_factory.mktemp("slice") / "slice.toml"
    plan.write_text(
        f"""
[session]
name = "slice"
start = "09:30"
stop = "10:00"
[feed]
kind = "tape"
path = "{shared_data / "us-2013-10-07.parquet"}"
[consumers]
cpus = 0.5
{STRATEGIES}
"""
    )
    return plan


@pytest.fixture(scope="module")
def in_process_run(slice_plan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    desk = RunningDesk(slice_plan, tmp_path_factory.mktemp("in-process") / "run", clean_environment(), "--in-process")
    status, _, err = desk.finish()
    assert status == 0, err
    return desk.run_dir


def exporting(head: RayHead) -> set[str]:
    """The actors whose counters stand in Ray's metrics."""
    with urllib.request.urlopen(head.metrics, timeout=5) as answer:
        text = answer.read().decode()
    return set(re.findall(r'^ray_raydesk_\w+\{.*?actor="([^"]+)"', text, re.MULTILINE))


@pytest.mark.parametrize("consumers", [1, 2, 4])
def test_bars_and_decisions_are_those_of_one_process_whatever_the_number_of_consumers(
    consumers: int, ray_head: RayHead, slice_plan: Path, in_process_run: Path, tmp_path: Path
) -> None:
    flags = ["--address", ray_head.address, "--consumers", str(consumers)]
    desk = RunningDesk(slice_plan, tmp_path / "run", ray_head.environment, *flags)

    status, _, err = desk.finish()

    assert status == 0, err
    summary = desk.summary()
    assert summary["ok"]
    assert summary["decisions"] > 500
    assert len({consumer["pid"] for consumer in summary["consumers"]}) == consumers
    for name in ("bars.parquet", "decisions.parquet"):
        assert pq.read_table(desk.run_dir / name).equals(pq.read_table(in_process_run / name)), name


@pytest.mark.parametrize("victim", ACTORS)
def test_a_dead_actor_is_noticed_and_named(
    victim: str, started: RunningDesk, record_property: Callable[[str, object], None]
) -> None:
    pids = started.pids()
    started.wait_for_ticks()

    os.kill(pids[victim], signal.SIGKILL)
    killed_s = time.monotonic()
    log = started.run_dir / "desk.log"
    wait_until(lambda: "run failed" in log.read_text(), 60.0, "notice of the death")
    noticed_s = time.monotonic() - killed_s
    status, out, err = started.finish()

    record_property("noticed_s", round(noticed_s, 2))
    assert status == 1
    assert f"error: {victim}: its process is gone" in err
    assert out.strip().splitlines()[-1].startswith("failed")
    summary = started.summary()
    assert not summary["ok"]
    assert any(victim in problem for problem in summary["problems"])
    wait_until(lambda: not any(map(is_alive, pids.values())), 30.0, "the end of every actor")


def test_every_actor_exports_counters_and_sigterm_closes_the_books(ray_head: RayHead, started: RunningDesk) -> None:
    pids = started.pids()
    started.wait_for_ticks()
    wait_until(lambda: exporting(ray_head) >= set(ACTORS), 90.0, "the export of every actor's counters")

    started.process.send_signal(signal.SIGTERM)
    status, out, err = started.finish()

    assert status == 0, err
    assert out.strip().splitlines()[-1].startswith("ok · balanced")
    summary = started.summary()
    assert summary["ok"]
    assert summary["ticks"]["trades"]["received"] > 0
    wait_until(lambda: not any(map(is_alive, pids.values())), 30.0, "the end of every actor")


def test_a_desk_of_its_own_runs_each_actor_in_a_process_of_its_own(tmp_path: Path) -> None:
    desk = RunningDesk(ROOT / "configs" / "demo.toml", tmp_path / "run", clean_environment())

    pids = desk.pids()
    status, _, err = desk.finish()

    assert status == 0, err
    assert sorted(pids) == sorted(ACTORS)
    assert len(set(pids.values())) == len(ACTORS)
    assert desk.process.pid not in pids.values()
    assert desk.summary()["ok"]


def test_a_submitted_job_runs_the_demo_and_the_dashboard_lists_the_desk_by_name(
    ray_head: RayHead, tmp_path: Path
) -> None:
    run_dir = tmp_path / "submitted"
    plan = ["python", "-m", "actors", "configs/demo.toml", "--run-dir", str(run_dir)]
    submit = [BIN / "ray", "job", "submit", "--address", ray_head.dashboard, "--working-dir", ".", "--", *plan]

    submitted = subprocess.run(
        submit, cwd=ROOT, env=ray_head.environment, capture_output=True, text=True, timeout=300, check=False
    )
    listed = subprocess.run(
        [BIN / "ray", "list", "actors", "--address", ray_head.address, "--format", "json", "--limit", "1000"],
        cwd=ROOT,
        env=ray_head.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    assert "ok · balanced" in submitted.stdout
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["ok"]
    assert summary["balanced"]
    actors = [actor for actor in json.loads(listed.stdout) if actor["ray_namespace"].startswith("raydesk-submitted-")]
    assert sorted(actor["name"] for actor in actors) == sorted(ACTORS)
