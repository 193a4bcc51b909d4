"""Code that ends its process while it is loaded ends a child process, and is one StrategyError."""

import itertools
import os
import select
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from desk.loading import Entry, load_strategy, try_in_child
from desk.model.errors import StrategyError

PLACE = "plan.toml, [[strategies]] #1"
HEADER = "import ctypes, os, signal, sys\nfrom desk import strategy\n"
SOUND = "class Mine(strategy.Strategy):\n    def on_second(self, ctx): ...\n"
_numbers = itertools.count()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def entry(folder: Path, source: str) -> Entry:
    name = f"ending_module_{next(_numbers)}"
    (folder / f"{name}.py").write_text(HEADER + source)
    return Entry(PLACE, f"{name}:Mine", partial(load_strategy, f"{name}:Mine", {}, PLACE))


@pytest.mark.parametrize(
    ("source", "stage", "how"),
    [
        ("os._exit(3)\n", "importing", "os._exit(3) at"),
        ("os._exit(0)\n", "importing", "os._exit(0) at"),
        ("os.abort()\n", "importing", "signal 6, SIGABRT"),
        ("ctypes.string_at(0)\n", "importing", "signal 11, SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)\n", "importing", "signal 9, SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGINT)\nsignal.pause()\n", "importing", "signal 2, SIGINT"),
        ("os.execv('/bin/false', ['false'])\n", "importing", "os._exit(1)"),
        (SOUND + "    def __init__(self, params): os._exit(4)\n", "loading", "os._exit(4) at"),
        (SOUND + "    def __reduce__(self): return os._exit, (5,)\n", "loading", "os._exit(5) at"),
        (SOUND + "    @property\n    def on_bar(self): os._exit(6)\n", "loading", "os._exit(6) at"),
    ],
)
def test_an_end_of_the_process_is_told_with_its_stage_and_how(folder: Path, source: str, stage: str, how: str) -> None:
    ending = entry(folder, source)

    with pytest.raises(StrategyError) as caught:
        try_in_child([entry(folder, SOUND), ending], lambda _: None)

    assert caught.value.place == PLACE
    assert caught.value.found.startswith(f"{stage} `{ending.use}` ended the process ({how}")


def test_the_line_that_ends_the_process_is_named(folder: Path) -> None:
    ending = entry(folder, "\n\nos._exit(3)\n")

    with pytest.raises(StrategyError, match=rf"{ending.module}\.py, line 5\)"):
        try_in_child([ending], lambda _: None)


@pytest.mark.parametrize("source", [SOUND, "raise SystemExit(3)\n", "1 / 0\n", SOUND + "    Params = 5\n"])
def test_what_does_not_end_the_process_is_left_to_the_loading_itself(
    folder: Path, source: str, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []

    try_in_child([entry(folder, "print('imported')\nsys.stderr.write('imported')\n" + source)], told.append)

    assert told == []
    assert "imported" not in "".join(capfd.readouterr())


def test_what_was_printed_before_the_end_is_told(folder: Path) -> None:
    told: list[str] = []

    with pytest.raises(StrategyError):
        try_in_child([entry(folder, "print('no licence')\nos._exit(3)\n")], told.append)

    assert told == ["no licence"]


def test_a_process_that_the_code_leaves_behind_keeps_nobody_waiting(folder: Path) -> None:
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    source = f"if os.fork() == 0:\n    open({str(fifo)!r}).read()\n    os._exit(0)\nos._exit(3)\n"

    with pytest.raises(StrategyError, match=r"os\._exit\(3\)"):
        try_in_child([entry(folder, source)], lambda _: None)

    fifo.open("w").close()


def test_an_import_that_takes_long_is_told_once_and_waited_for(folder: Path) -> None:
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        fifo.write_text("go on")

    slow = entry(folder, f"open({str(fifo)!r}).read()\n" + SOUND)
    try_in_child([slow], tell, patience_s=0.0)

    assert told == [f"importing `{slow.use}` takes longer than 0 s ({PLACE}); ctrl-c ends it"]


def test_where_another_thread_runs_there_is_no_child(folder: Path) -> None:
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()

    try_in_child([entry(folder, "os._exit(3)\n")], lambda _: None)

    leave.set()
    thread.join()


PLAN = """
[session]
name = "ends"
[feed]
kind = "synthetic"
synthetic = { symbols = 2, minutes = 1, events_per_s = 10 }
symbols = ["*"]
[[strategies]]
use = "mine:Mine"
"""


def desk(folder: Path, *args: str) -> subprocess.Popen[str]:
    (folder / "plan.toml").write_text(PLAN)
    project = Path(__file__).parents[2]
    code = f"import sys; sys.path[0] = {str(project)!r}; from console.cli import main; main()"
    command = [sys.executable, "-c", code, *args]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    "args", [["check", "plan.toml"], ["run", "plan.toml", "--in-process"], ["submit", "plan.toml"]]
)
def test_every_command_tells_it_and_exits_2(tmp_path: Path, args: list[str]) -> None:
    (tmp_path / "mine.py").write_text(HEADER + "os._exit(0)\n")

    process = desk(tmp_path, *args)
    out, err = process.communicate()

    assert process.returncode == 2, out + err
    assert err.startswith("error: plan.toml, [[strategies]] #1: importing `mine:Mine` ended the process (os._exit(0)")
    assert not (tmp_path / "runs").exists()


def test_an_import_prints_once(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEADER + "print('hello from the import')\n" + SOUND)

    process = desk(tmp_path, "check", "plan.toml")
    out, err = process.communicate()

    assert process.returncode == 0, err
    assert out.count("hello from the import") == 1


@pytest.mark.parametrize(("args", "status"), [(["check", "plan.toml"], 130), (["run", "plan.toml"], -2)])
def test_ctrl_c_ends_an_import_that_hangs(tmp_path: Path, args: list[str], status: int) -> None:
    os.mkfifo(tmp_path / "pid")
    source = "open('pid', 'w').write(str(os.getpid()))\nwhile True: signal.pause()\n"
    (tmp_path / "mine.py").write_text(HEADER + source)
    process = desk(tmp_path, *args)
    child = os.pidfd_open(int((tmp_path / "pid").read_text()))

    process.send_signal(signal.SIGINT)
    _, err = process.communicate()

    assert process.returncode == status, err
    assert "Traceback" not in err
    assert select.select([child], [], [], 60)[0], "the child has not ended"
    os.close(child)


def test_a_desk_without_stdout_loads_its_classes_too(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEADER + SOUND)
    (tmp_path / "plan.toml").write_text(PLAN)
    project = Path(__file__).parents[2]
    code = f"import sys; sys.path[0] = {str(project)!r}; from console.cli import main; main()"
    command = ["/bin/sh", "-c", 'exec "$@" <&- >&-', "sh", sys.executable, "-c", code, "check", "plan.toml"]

    done = subprocess.run(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
