"""User code that ends its process at loading ends only a child process, and is one StrategyError."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

PLACE = "plan.toml, [[strategies]] #1"
HEADER = "import ctypes, os, signal, sys\nfrom desk import strategy\n"
SOUND = "class Mine(strategy.Strategy):\n    def on_second(self, ctx): ...\n"
PROJECT = Path(__file__).parents[3]
TRY = """
import json, sys, threading
from functools import partial
from pathlib import Path
from desk.loading import LoadEntry, load_strategy, try_in_child
from desk.model.errors import StrategyError

names, patience_s, place, with_thread = json.loads(sys.argv[1])
told, error, leave = [], None, threading.Event()
if with_thread:
    threading.Thread(target=leave.wait).start()

def tell(line):
    told.append(line)
    if Path("fifo").exists():
        Path("fifo").write_text("go on")

uses = [f"{name}:Mine" for name in names]
try:
    try_in_child([LoadEntry(place, use, partial(load_strategy, use, {}, place)) for use in uses], tell, patience_s)
except StrategyError as fault:
    error = [fault.place, fault.found]
leave.set()
print(json.dumps([error, told]))
"""


class Tried(NamedTuple):
    """What try_in_child made of a class: its error's place and words, what it told, and what it left on stderr."""

    place: str
    found: str
    told: list[str]
    err: str


def tried(folder: Path, *sources: str, patience_s: float = 600.0, with_thread: bool = False) -> Tried:
    """Load modules of these sources in a child of a process of its own: a fork is for a process of one thread."""
    names = [f"mine_{number}" for number in range(len(sources))]
    for name, source in zip(names, sources, strict=True):
        (folder / f"{name}.py").write_text(HEADER + source)
    asked = json.dumps([names, patience_s, PLACE, with_thread])
    done = subprocess.run(
        [sys.executable, "-c", TRY, asked], cwd=folder, env=os.environ | {"PYTHONPATH": f"{PROJECT}:{folder}"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (line,) = done.stdout.splitlines()
    error, told = json.loads(line)
    return Tried(*(error or ["", ""]), told, done.stderr)


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
def test_an_end_of_the_process_is_reported_with_its_stage_and_how(
    tmp_path: Path, source: str, stage: str, how: str
) -> None:
    result = tried(tmp_path, SOUND, source)

    assert result.place == PLACE
    assert result.found.startswith(f"{stage} `mine_1:Mine` ended the process ({how}")


@pytest.mark.parametrize("first", [0, 3])
def test_code_that_closes_the_childs_files_is_distinguished_from_an_end(tmp_path: Path, first: int) -> None:
    result = tried(tmp_path, f"os.closerange({first}, 256)\n" + SOUND)

    assert (result.place, result.found) == (PLACE, "importing `mine_0:Mine` closed files that are not its own")


def test_the_line_that_ends_the_process_is_named(tmp_path: Path) -> None:
    assert "mine_0.py, line 5)" in tried(tmp_path, "\n\nos._exit(3)\n").found


@pytest.mark.parametrize("source", [SOUND, "raise SystemExit(3)\n", "1 / 0\n", SOUND + "    Params = 5\n"])
def test_what_does_not_end_the_process_is_left_to_the_loading_itself(tmp_path: Path, source: str) -> None:
    result = tried(tmp_path, "print('imported')\nsys.stderr.write('imported')\n" + source)

    assert result == Tried("", "", [], "")


def test_output_before_the_end_is_reported(tmp_path: Path) -> None:
    assert tried(tmp_path, "print('no licence')\nos._exit(3)\n").told == ["no licence"]


def test_a_process_that_the_code_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "held")
    source = "if os.fork() == 0:\n    open('held').read()\n    os._exit(0)\nos._exit(3)\n"

    result = tried(tmp_path, source)

    assert "os._exit(3)" in result.found
    (tmp_path / "held").open("w").close()


def test_an_import_that_takes_long_is_reported_once_and_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    result = tried(tmp_path, "open('fifo').read()\n" + SOUND, patience_s=0.0)

    told = f"importing `mine_0:Mine` takes longer than 0 s ({PLACE}); ctrl-c ends it"
    assert result == Tried("", "", [told], "")


def test_where_another_thread_runs_there_is_no_child(tmp_path: Path) -> None:
    assert tried(tmp_path, "os._exit(3)\n", with_thread=True) == Tried("", "", [], "")


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
    code = f"import sys; sys.path[0] = {str(PROJECT)!r}; from console.cli import main; main()"
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


@pytest.mark.parametrize(("args", "status"), [(["check", "plan.toml"], 130), (["run", "plan.toml"], 130)])
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
    code = f"import sys; sys.path[0] = {str(PROJECT)!r}; from console.cli import main; main()"
    command = ["/bin/sh", "-c", 'exec "$@" <&- >&-', "sh", sys.executable, "-c", code, "check", "plan.toml"]

    done = subprocess.run(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
