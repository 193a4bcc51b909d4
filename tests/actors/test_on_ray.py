"""The desk on Ray: the same results as in one process, and orderly ends."""

import re
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from desk_process import RunningDesk, assert_same_results, is_alive
from session_ray import ROOT, RayHead, clean_environment, wait_until

pytestmark = pytest.mark.ray

ACTORS = ["producer", "consumer-00", "consumer-01", "scanner", "broker", "ledger", "keeper"]


def exporting(head: RayHead) -> set[str]:
    """The actors whose counters stand in Ray's metrics."""
    with urllib.request.urlopen(head.metrics, timeout=5) as answer:
        text = answer.read().decode()
    return set(re.findall(r'^ray_raydesk_\w+\{.*?actor="([^"]+)"', text, re.MULTILINE))


@pytest.mark.trial
@pytest.mark.parametrize("consumers", [1, 2, 4])
def test_bars_and_decisions_are_those_of_one_process_whatever_the_number_of_consumers(
    consumers: int, ray_head: RayHead, slice_plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    flags = ["--address", ray_head.address, "--consumers", str(consumers)]
    desk = RunningDesk(slice_plan, tmp_path / "run", ray_head.environment, *flags)

    status, _, err = desk.finish()

    assert status == 0, err
    summary = desk.summary()
    assert summary["ok"]
    assert summary["decisions"] > 200
    assert len({consumer["pid"] for consumer in summary["consumers"]}) == consumers
    assert_same_results(desk.run_dir, undisturbed)


@pytest.fixture
def started(ray_head: RayHead, endless: Path, tmp_path: Path) -> Iterator[RunningDesk]:
    with closing(RunningDesk(endless, tmp_path / "run", ray_head.environment, "--address", ray_head.address)) as desk:
        yield desk


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
