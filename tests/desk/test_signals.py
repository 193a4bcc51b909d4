"""The first signal ends the desk in good order, the second at once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from desk.config import load_plan
from desk.house import run_in_process
from desk.report.live import DeskView
from desk.runs import RunFolder
from desk.signals import SIGNALS, StopSignals

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COMMAND = "from console.cli import main; main()"
PATIENCE_S = 60.0

PACED = """
[session]
name = "paced"
[feed]
kind = "synthetic"
speed = 20.0
[feed.synthetic]
symbols = 20
events_per_s = 50.0
minutes = 390
[consumers]
count = 2
[flow]
checkpoint_s = 0.05
"""

STUCK = """
[guards]
hang_s = 3600.0
[[strategies]]
name = "stuck"
use = "house_strategies:Stuck"
params = { marker = "MARKER" }
"""


@contextmanager
def a_desk(plan: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`desk run --in-process` in a process of its own, with its results in `folder`/run."""
    path = folder / "plan.toml"
    path.write_text(plan, encoding="utf-8")
    command = [sys.executable, "-c", COMMAND, "run", str(path), "--in-process", "--run-dir", str(folder / "run")]
    environment = os.environ | {"PYTHONPATH": str(HERE)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as desk:
        try:
            yield desk
        finally:
            desk.kill()


def wait_until(is_so: Callable[[], bool], desk: subprocess.Popen[bytes]) -> None:
    """Look again and again, as long as the desk lives and patience lasts."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_so():
        if desk.poll() is not None:
            pytest.fail(f"the desk ended with {desk.returncode}: {desk.communicate()[0].decode()}")
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_drains_closes_the_books_and_ends_well(number: int, tmp_path: Path) -> None:
    with a_desk(PACED, tmp_path) as desk:
        wait_until((tmp_path / "run" / "keeper" / "shard-0.state").exists, desk)

        desk.send_signal(number)
        said, _ = desk.communicate(timeout=PATIENCE_S)

    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert desk.returncode == 0, said.decode()
    assert (summary["ok"], summary["balanced"]) == (True, True)
    assert summary["ticks"]["trades"]["applied"] == summary["ticks"]["trades"]["received"] > 0
    bars = pq.read_table(tmp_path / "run" / "bars.parquet")
    assert bars.num_rows == summary["bars"] > 0
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_the_first_second_is_complete_is_the_exit_status(
    number: int, status: int, tmp_path: Path
) -> None:
    with a_desk(PACED.replace("speed = 20.0", "speed = 0.001"), tmp_path) as desk:
        wait_until(lambda: catches(desk.pid, signal.SIGTERM), desk)

        desk.send_signal(number)
        said, _ = desk.communicate(timeout=PATIENCE_S)

    assert desk.returncode == status, said.decode()
    assert f"error: {signal.Signals(number).name}: the run was stopped before its first second" in said.decode()
    assert json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))["balanced"] is True


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal (proc(5), SigCgt)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_ends_at_once(number: int, status: int, tmp_path: Path) -> None:
    marker = tmp_path / "stuck"
    with a_desk(PACED + STUCK.replace("MARKER", str(marker)), tmp_path) as desk:
        wait_until(marker.exists, desk)

        # Signals that wait together count as one: send until there have been two.
        deadline_s = time.monotonic() + PATIENCE_S
        while desk.poll() is None and time.monotonic() < deadline_s:
            desk.send_signal(number)
            time.sleep(0.01)

    assert desk.returncode == status
    assert not (tmp_path / "run" / "summary.json").exists()


def test_the_first_signal_asks_for_an_end_and_the_handlers_before_come_back() -> None:
    asked: list[str] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}

    with StopSignals(lambda: asked.append("stop")) as signals:
        during = {number: signal.getsignal(number) for number in SIGNALS}
        signal.raise_signal(signal.SIGTERM)

    assert asked == ["stop"]
    assert signals.received == signal.SIGTERM
    assert during != before
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


def test_a_first_signal_while_results_are_written_does_not_cost_them(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PACED.replace("speed = 20.0", "").replace("minutes = 390", "minutes = 1"), encoding="utf-8")
    folder = RunFolder.create(None, tmp_path / "run", "run", 0)

    def show(view: DeskView) -> None:
        if view.state == "closed":
            signal.raise_signal(signal.SIGINT)

    summary = run_in_process(load_plan(plan), folder, show=show)

    assert summary.ok
    assert folder.summary.exists()
