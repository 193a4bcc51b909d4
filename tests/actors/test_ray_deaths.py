"""When one of Ray's own processes dies, the desk ends at once in good order; a pause of 20 s does not end it."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from desk_process import RunningDesk, assert_accounts_hold, assert_same_results
from listening_sockets import descendants
from session_ray import clean_environment, wait_until
from slice_plans import minute_ns

pytestmark = pytest.mark.ray

SIGNS = {
    "gcs_server": "/gcs_server",
    "raylet": "/raylet/raylet",
    "dashboard agent": "ray::DashboardAgent",
    "runtime env agent": "ray::RuntimeEnvAgent",
}
AGENTS = ("dashboard agent", "runtime env agent")
PHASES = ("start", "middle", "drain")
PAUSE_S = 20.0
MOST_S = 10.0


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files, short enough for sockets below it."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        yield Path(folder)


def find(desk: RunningDesk, victim: str) -> int | None:
    """The process of this desk's Ray, once there is one."""
    if desk.ended:
        return None
    for pid in descendants(desk.process.pid):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if command.strip().endswith(SIGNS[victim]):
            return pid
    return None


def wait_for(desk: RunningDesk, victim: str) -> int:
    wait_until(lambda: find(desk, victim) is not None or desk.ended, 60.0, f"the start of Ray's {victim}")
    pid = find(desk, victim)
    assert pid is not None, desk.finish()[2]
    return pid


def reach(desk: RunningDesk, phase: str, victim: str) -> int:
    """Wait until the desk is in this phase; the process of the victim."""
    if phase == "start":
        return wait_for(desk, victim)
    desk.wait_for_mark(minute_ns(3))
    pid = wait_for(desk, victim)
    if phase == "drain":
        desk.process.send_signal(signal.SIGTERM)
    return pid


def shared_memory() -> list[str]:
    return [path.name for path in Path("/dev/shm").iterdir()]


def leftovers(pids: set[int], temporary: Path, shared: set[str]) -> list[str]:
    """What is left of a desk: processes, temporary files, shared memory."""
    left = [f"process {pid}" for pid in pids if lives(pid)]
    left += [str(path) for path in temporary.glob("raydesk-*")]
    return left + [name for name in shared_memory() if name not in shared and "raydesk-run" in name]


def show(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill_in(phase: str, victim: str, plan: Path, folder: Path, temporary: Path) -> float:
    """Kill the victim in this phase, see the desk end as it should; the seconds that the end took."""
    environment = clean_environment() | {"TMPDIR": str(temporary)}
    shared = set(shared_memory())
    desk = RunningDesk(plan, folder / "run", environment)
    with closing(desk):
        pid = reach(desk, phase, victim)
        pids = descendants(desk.process.pid)
        killed_s = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        status, out, err = desk.finish()
        took_s = time.monotonic() - killed_s

        assert status == 1, (out, err)
        assert took_s < MOST_S
        # The process that cleans up behind a killed desk may be about to end.
        wait_until(lambda: not leftovers(pids, temporary, shared), MOST_S - took_s, "the end of all that it had")
        assert "Traceback" not in err
        (error,) = [line for line in err.splitlines() if line.startswith("error:")]
        assert error.startswith("error: Ray: its ")
        assert "has died" in error
        assert f"desk run --resume {desk.run_dir}" in err
        summary = desk.summary()
        assert not summary["ok"]
        assert any("has died" in problem for problem in summary["problems"])
        assert phase == "start" or list((desk.run_dir / "ray-logs").glob("gcs_server*"))
        assert (desk.run_dir / "resume.json").exists()
    return took_s


def resume(folder: Path, undisturbed: Path, temporary: Path) -> None:
    """Resume the desk that died there; it ends as if nothing had happened, and leaves nothing."""
    environment = clean_environment() | {"TMPDIR": str(temporary)}
    shared = set(shared_memory())
    again = RunningDesk.resumed(folder / "run", environment)
    with closing(again):
        status, _, err = again.finish()
        assert status == 0, err
        assert_accounts_hold(again.summary())
        assert_same_results(again.run_dir, undisturbed)
    assert leftovers(set(), temporary, shared) == []


def test_the_death_of_a_process_of_rays_at_the_start_ends_the_desk_at_once(
    slice_plan: Path, tmp_path: Path, temporary: Path
) -> None:
    kill_in("start", "gcs_server", slice_plan, tmp_path, temporary)


def test_the_death_of_a_process_of_rays_ends_the_desk_at_once_and_resuming_changes_nothing(
    slice_plan: Path, undisturbed: Path, tmp_path: Path, temporary: Path
) -> None:
    kill_in("middle", "raylet", slice_plan, tmp_path, temporary)

    resume(tmp_path, undisturbed, temporary)


@pytest.mark.trial
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("victim", SIGNS)
def test_each_of_rays_processes_may_die_at_any_time(
    phase: str, victim: str, slice_plan: Path, undisturbed: Path, tmp_path: Path, temporary: Path
) -> None:
    took_s = kill_in(phase, victim, slice_plan, tmp_path, temporary)
    resume(tmp_path, undisturbed, temporary)

    show(f"\n| {victim} killed | {phase} | exit 1 | {took_s:.1f} s | nothing | resumed: identical |")


@pytest.mark.trial
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("victim", SIGNS)
def test_each_of_rays_processes_may_be_stopped_for_20_s(
    phase: str, victim: str, slice_plan: Path, undisturbed: Path, tmp_path: Path, temporary: Path
) -> None:
    environment = clean_environment() | {"TMPDIR": str(temporary)}
    shared = set(shared_memory())
    desk = RunningDesk(slice_plan, tmp_path / "run", environment)
    with closing(desk):
        pid = reach(desk, phase, victim)
        os.kill(pid, signal.SIGSTOP)
        until_s = time.monotonic() + PAUSE_S
        wait_until(lambda: time.monotonic() > until_s or desk.ended, 2 * PAUSE_S, "the end of the pause")
        ended = desk.ended
        if not ended:
            with suppress(ProcessLookupError):  # Ray gave up on it meanwhile
                os.kill(pid, signal.SIGCONT)
        status, out, err = desk.finish()
        took_s = time.monotonic() - until_s

        assert leftovers(set(), temporary, shared) == []
        if phase == "start" and victim in AGENTS and status:
            # The raylet itself waits for 15 s, no longer, until its agents have started, and ends then.
            assert status == 1
            assert "has died" in err
            told = f"exit 1: Ray waits 15 s | ended {PAUSE_S + took_s:.1f} s after the stop"
            show(f"\n| {victim} stopped for 20 s | start | {told} | nothing | |")
            return
        assert status == 0, (out, err)
        if phase != "drain":
            assert_same_results(desk.run_dir, undisturbed)
        assert_accounts_hold(desk.summary())
    result = "balanced" if phase == "drain" else "identical"
    told = f"ended {took_s:.1f} s after the pause" if not ended else f"ended {took_s + PAUSE_S:.1f} s after the stop"
    show(f"\n| {victim} stopped for 20 s | {phase} | exit 0 | {told} | nothing | {result} |")
