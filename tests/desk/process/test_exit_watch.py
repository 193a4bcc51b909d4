"""The note that a process leaves when a strategy ends it. Each case runs in its own process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.process.breadcrumbs import Breadcrumb, read_breadcrumb, remove_trail, remove_trails

ROOT = Path(__file__).parents[3]
DESK = f"raydesk-watch-{os.getpid()}"
TRAIL = (DESK, "consumer-00", 1)
PROCESS = """
import ctypes, os, signal, subprocess, sys, threading, time
from desk.process.breadcrumbs import BreadcrumbTrail
from desk.telemetry.breadcrumb_port import CALL, CODES
from desk.process.exit_watch import ProcessWatch

trail = BreadcrumbTrail.create(sys.argv[1], "consumer-00", 1)
watch = ProcessWatch(trail, sys.argv[1])
trail.cells[CALL] = trail.register("s", "A") + CODES["on_trade"]
exec(sys.argv[2])
trail.cells[CALL] = 0
watch.note_started()
exec(sys.argv[3])
"""
WAIT = "threading.Event().wait(30)"


@pytest.fixture(autouse=True)
def no_trail_left() -> Iterator[None]:
    yield
    remove_trails(DESK)


def ran(in_call: str, afterwards: str = "") -> tuple[int, Breadcrumb]:
    """The process's exit status, and what its trail says."""
    command = [sys.executable, "-c", PROCESS, DESK, in_call, afterwards]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    crumb = read_breadcrumb(*TRAIL)
    assert crumb is not None, done.stderr
    return done.returncode, crumb


@pytest.mark.parametrize(
    ("deed", "status", "ended"),
    [
        ("os._exit(3)", 3, "os._exit(3) at <string>, line 1"),
        ("import posix; posix._exit(3)", 3, "os._exit(3) at <string>, line 1"),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, "os.kill with SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGUSR1)", -10, "os.kill with SIGUSR1"),
    ],
)
def test_a_call_that_ends_the_process_is_noted(deed: str, status: int, ended: str) -> None:
    code, crumb = ran(deed)

    assert code == status
    assert (crumb.strategy, crumb.symbol, crumb.hook) == ("s", "A", "on_trade")
    assert crumb.ended.startswith(ended)
    assert not crumb.in_thread


def test_a_crash_leaves_its_signal_and_line() -> None:
    code, crumb = ran("ctypes.string_at(0)")

    assert code == -11
    assert crumb.hook == "on_trade"
    assert crumb.crash.startswith("Segmentation fault at ")
    assert crumb.ended == ""


@pytest.mark.parametrize(
    "deed",
    [
        "threading.Timer(0.01, os._exit, (5,)).start()",
        "threading.Thread(target=lambda: os._exit(5)).start()",
        "import _thread; _thread.start_new_thread(lambda: (time.sleep(0.01), os._exit(5)), ())",
    ],
)
def test_a_thread_that_ends_the_process_accuses_the_call_that_started_it(deed: str) -> None:
    code, crumb = ran(deed, WAIT)

    assert code == 5
    assert crumb.in_thread
    assert crumb.ended.startswith("os._exit(5)")
    assert crumb.suspect == ("s", "A", "on_trade")


@pytest.mark.parametrize("deed", ["os.closerange(1000, 1001)", "ctypes.CDLL(None).getpid()", "os.system('true')"])
def test_what_may_end_the_process_later_makes_its_call_suspect(deed: str) -> None:
    code, crumb = ran(deed)

    assert code == 0
    assert crumb.suspect == ("s", "A", "on_trade")
    assert crumb.ended == ""


LOADING = """
import desk.loading.factory as factory
trail.cells[CALL] = trail.register("s", "*") + CODES["load"]
factory.load_strategy("strategies.examples.pressure:Pressure", {}, "a plan").create()
trail.cells[CALL] = 0
"""


def test_a_load_that_does_nothing_of_the_kind_is_no_suspect() -> None:
    _, crumb = ran("pass", LOADING)

    assert crumb.suspect is None


@pytest.mark.parametrize(
    "deed",
    [
        "signal.setitimer(signal.ITIMER_REAL, 0.001)",
        "signal.setitimer(signal.ITIMER_PROF, 0.001)",
        "os.kill(os.getpid(), signal.SIGINT)",
        "os.kill(os.getpid(), signal.SIGHUP)",
    ],
)
def test_timers_and_the_terminals_signals_do_not_end_it(deed: str) -> None:
    code, crumb = ran(deed, "end = time.process_time() + 0.05\nwhile time.process_time() < end: pass\nos._exit(7)")

    assert code == 7
    assert crumb.ended.startswith("os._exit(7)")


def test_a_signal_to_another_process_is_no_end() -> None:
    _, crumb = ran("p = subprocess.Popen(['sleep', '60']); os.kill(p.pid, signal.SIGKILL); p.wait()")

    assert crumb.ended == ""


DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/sleep", ["sleep", "600"], {})
    os._exit(0)
"""


@pytest.mark.parametrize("deed", ["subprocess.Popen(['sleep', '600'], env={})", DAEMON], ids=["child", "daemon"])
def test_processes_that_it_leaves_are_found_and_ended(deed: str) -> None:
    show = "left = watch.end_left()\nprint([child.command for child in left], watch.end_left())"
    command = [sys.executable, "-c", PROCESS, DESK, deed + "\ntime.sleep(0)", AWAIT_SLEEP + show]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.split("\n")[0].endswith("['sleep'] []"), (done.stdout, done.stderr)


AWAIT_SLEEP = """
from desk.process.children import running_descendants
while [child.command for child in running_descendants()] != ["sleep"]:
    pass
"""


def test_processes_of_one_that_was_killed_are_ended_with_its_trail() -> None:
    kill = AWAIT_SLEEP + "watch._started = True\nwatch.note_started()\nos.kill(os.getpid(), signal.SIGKILL)"
    command = [sys.executable, "-c", PROCESS, DESK, DAEMON + "else: print(0)", kill]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, timeout=60, check=False)

    before = sleeping()
    remove_trail(*TRAIL)

    assert before
    assert not [pid for pid in before if pid in sleeping()]


def sleeping() -> set[str]:
    """The processes that sleep as DAEMON's do, and have not ended."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ended = (folder / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
            if not ended and (folder / "cmdline").read_bytes() == b"sleep\x00600\x00":
                found.add(folder.name)
        except OSError:
            continue
    return found


def test_a_fork_of_the_process_does_not_return_into_the_desk() -> None:
    """The guard is desk code: a strategy's fork ends there, and the parent continues."""
    source = """
import os, sys
sys.path.insert(0, "tests/helpers")
from desk.process.breadcrumbs import BreadcrumbTrail
from desk.process.exit_watch import ProcessWatch
from desk.consumer.engine import Engine, EngineConfig
from engine_parts import START_NS, Stopwatch, a_watch, an_entry, strategy_calling, mark

trail = BreadcrumbTrail.create(sys.argv[1], "consumer-00", 1)
watch = ProcessWatch(trail, sys.argv[1])
config = EngineConfig("day", START_NS, 1_000_000_000, 900_000_000_000, 50_000_000)
engine = Engine(config, [an_entry(strategy_calling(lambda ctx: os.fork()))], Stopwatch(), trail)
engine.apply([a_watch(), mark(1), mark(2)])
print("returned", flush=True)
os.waitid(os.P_ALL, 0, os.WEXITED)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", source, DESK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout == "returned\n", done.stderr
