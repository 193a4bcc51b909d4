"""The first signal ends the desk in good order, the second at once."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from desk.config import load_plan
from desk.inprocess.in_process_desk import run_in_process
from desk.model.errors import BY_SIGNAL, RunFailed
from desk.process import time_limit
from desk.process.signals import SIGNALS, stop_signals
from desk.report.desk_view import DeskView
from desk.runs import RunFolder

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
COMMAND = "from console.cli import main; main()"
ENTRY = "from console.entry import main; main()"
PATIENCE_S = 60.0

PACED = """
[session]
name = "paced"
calendar = "24/7"
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
use = "plan_strategies:HangingStrategy"
params = { marker = "MARKER" }
"""


def each(*quick: int) -> list[Any]:
    """Every signal; those that are not `quick` in trials alone, since one mechanism serves all."""
    return [pytest.param(number, marks=() if number in quick else pytest.mark.trial) for number in SIGNALS]


@contextmanager
def a_desk(plan: str, folder: Path, code: str = COMMAND, path: str = str(HERE)) -> Iterator[subprocess.Popen[bytes]]:
    """`desk run --in-process` in a process of its own, with its results in `folder`/run; `path` is for its modules."""
    plan_path = folder / "plan.toml"
    plan_path.write_text(plan, encoding="utf-8")
    command = [sys.executable, "-c", code, "run", str(plan_path), "--in-process", "--run-dir", str(folder / "run")]
    environment = os.environ | {"PYTHONPATH": path}
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


@pytest.mark.parametrize("number", each(signal.SIGINT, signal.SIGHUP))
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


@pytest.mark.parametrize("number", each(signal.SIGTERM, signal.SIGQUIT))
def test_a_signal_before_the_first_second_is_complete_is_the_exit_status(number: int, tmp_path: Path) -> None:
    with a_desk(PACED.replace("speed = 20.0", "speed = 0.001"), tmp_path) as desk:
        wait_until((tmp_path / "run" / "desk.log").exists, desk)

        desk.send_signal(number)
        said, _ = desk.communicate(timeout=PATIENCE_S)

    assert desk.returncode == BY_SIGNAL + number, said.decode()
    assert not (tmp_path / "run" / "resume.json").exists()
    assert f"error: {signal.Signals(number).name}: the run was stopped before its first second" in said.decode()
    assert json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))["balanced"] is True


@pytest.mark.parametrize("number", each(signal.SIGHUP))
def test_a_signal_while_modules_are_imported_ends_the_command_before_there_is_a_folder(
    number: int, tmp_path: Path
) -> None:
    with a_desk(PACED, tmp_path, ENTRY) as desk:
        wait_until(lambda: has(desk.pid, "SigCgt", signal.SIGQUIT), desk)

        desk.send_signal(number)
        said, _ = desk.communicate(timeout=PATIENCE_S)

    assert desk.returncode == BY_SIGNAL + number, said.decode()
    assert signal.Signals(number).name in said.decode()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", each(signal.SIGQUIT))
def test_a_signal_while_a_class_is_loaded_leaves_no_process(number: int, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pid")
    hanging = f"import os\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\nwhile True:\n    pass\n"
    (tmp_path / "hanging_import.py").write_text(hanging, encoding="utf-8")
    plan = PACED + '[[strategies]]\nuse = "hanging_import:Mine"\n'
    with a_desk(plan, tmp_path, path=str(tmp_path)) as desk:
        child = os.pidfd_open(int((tmp_path / "pid").read_text(encoding="utf-8")))

        desk.send_signal(number)
        said, _ = desk.communicate(timeout=PATIENCE_S)

    assert desk.returncode == BY_SIGNAL + number, said.decode()
    assert select.select([child], [], [], PATIENCE_S)[0], "the child has not ended"
    os.close(child)
    assert not (tmp_path / "run").exists()


def has(pid: int, mask: str, number: int) -> bool:
    """Whether the process catches (SigCgt) or ignores (SigIgn) the signal, see proc(5)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = next(line.split()[1] for line in status.splitlines() if line.startswith(f"{mask}:"))
    return bool(int(found, 16) >> (number - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGHUP, pytest.param(signal.SIGQUIT, marks=pytest.mark.trial)])
def test_a_signal_that_is_ignored_when_the_desk_starts_stays_ignored(number: int, tmp_path: Path) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with a_desk(PACED, tmp_path) as desk:
            wait_until((tmp_path / "run" / "keeper" / "shard-0.state").exists, desk)

            assert has(desk.pid, "SigIgn", number)
            desk.send_signal(number)
            desk.send_signal(signal.SIGTERM)
            said, _ = desk.communicate(timeout=PATIENCE_S)
    finally:
        signal.signal(number, before)

    assert desk.returncode == 0, said.decode()


@pytest.mark.parametrize("number", each(signal.SIGINT, signal.SIGTERM))
def test_the_second_signal_ends_at_once(number: int, tmp_path: Path) -> None:
    marker = tmp_path / "stuck"
    with a_desk(PACED + STUCK.replace("MARKER", str(marker)), tmp_path) as desk:
        wait_until(marker.exists, desk)

        # Signals that wait together count as one: send until there have been two.
        deadline_s = time.monotonic() + PATIENCE_S
        while desk.poll() is None and time.monotonic() < deadline_s:
            desk.send_signal(number)
            time.sleep(0.01)

    assert desk.returncode == BY_SIGNAL + number
    assert not (tmp_path / "run" / "summary.json").exists()


def test_a_run_whose_strategy_hangs_is_given_up_when_the_time_to_close_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limit, "CLOSE_S", 0.2)
    monkeypatch.syspath_prepend(HERE)
    plan, marker = tmp_path / "plan.toml", tmp_path / "stuck"
    plan.write_text(PACED.replace("speed = 20.0", "") + STUCK.replace("MARKER", str(marker)), encoding="utf-8")
    folder = RunFolder.create(None, tmp_path / "run", "run", 0)

    def stop_once_stuck() -> None:
        while not marker.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop_once_stuck)
    stopper.start()
    with pytest.raises(RunFailed, match=r"not closed within 0\.2 s, in HangingStrategy\.on_second"):
        run_in_process(load_plan(plan), folder, show=lambda _: None)
    stopper.join()

    assert "not closed within 0.2 s" in json.loads(folder.summary.read_bytes())["problems"][0]
    assert folder.resume.path.exists()


def test_the_first_signal_asks_for_an_end_and_the_handlers_before_come_back() -> None:
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}

    with stop_signals() as signals:
        signals.orderly(asked.append)
        during = {number: signal.getsignal(number) for number in SIGNALS}
        signal.raise_signal(signal.SIGTERM)

    assert asked == [signal.SIGTERM]
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
