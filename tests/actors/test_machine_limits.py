"""A machine with too few resources for the desk's own Ray: one clear error at the start."""

import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from log_lines import log_events
from session_ray import BIN, ROOT, clean_environment
from slice_plans import ENDLESS

from actors.own_ray.machine_limits import available_memory, require_limits

MB = 1024 * 1024


@pytest.fixture
def temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        yield Path(folder)


def run(
    plan: Path, folder: Path, temporary: Path, *before: str, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """`desk run`, with something before it on the command line."""
    return subprocess.run(
        [*before, BIN / "desk", "run", plan, "--run-dir", folder / "run"],
        cwd=ROOT,
        env=clean_environment() | {"TMPDIR": str(temporary)} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.mark.parametrize(
    ("limit", "what"),
    [
        ("--nofile=64", "too little open files (ulimit -n): 64"),
        ("--as=2000000000", "too little virtual memory (ulimit -v): 1907 MB"),
        ("--data=1000000000", "too little data segment (ulimit -d): 953 MB"),
        ("--fsize=1000000", "too little file size (ulimit -f): 0 MB"),
    ],
)
def test_a_limit_that_is_too_small_is_one_error_and_nothing_starts(
    endless: Path, tmp_path: Path, temporary: Path, limit: str, what: str
) -> None:
    done = run(endless, tmp_path, temporary, "prlimit", limit)

    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[0] == f"error: environment: {what}"
    assert done.stderr.count("expected:") == done.stderr.count("remedy:") == 1
    assert "Traceback" not in done.stderr
    assert not list(temporary.glob("raydesk-*"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_folder_for_temporary_files_that_is_missing_is_one_error(
    endless: Path, tmp_path: Path, temporary: Path, variable: str
) -> None:
    done = run(endless, tmp_path, temporary, **{variable: "/nowhere/at/all"})

    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[0] == f"error: environment, {variable}: `/nowhere/at/all` is not a folder"


def mounted(folder: Path, size: str) -> list[str]:
    """A command line that mounts a file system of this size there, for what comes after it alone."""
    script = f'mount -t tmpfs -o size={size} tmpfs {folder} && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", script, "sh"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here: that takes root and its capabilities")
    return command


@pytest.mark.ray
def test_with_a_tiny_shared_memory_the_desk_runs_and_says_so(endless: Path, tmp_path: Path, temporary: Path) -> None:
    endless.write_text(ENDLESS.replace("minutes = 390", "minutes = 1").replace("speed = 2.0", 'speed = "max"'))

    done = run(endless, tmp_path, temporary, *mounted(Path("/dev/shm"), "64k"))

    assert done.returncode == 0, done.stderr
    assert "/dev/shm has 0 MB free, Ray wants 128" in log_events(tmp_path / "run" / "desk.log")


def test_a_full_disk_for_temporary_files_is_one_error(endless: Path, tmp_path: Path, temporary: Path) -> None:
    done = run(endless, tmp_path, temporary, *mounted(temporary, "8m"))

    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[0].startswith(f"error: environment: too little space in {temporary}: ")


def test_more_consumers_need_more_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", limited_to(300))

    assert require_limits(2, tmp_path) == ""
    with pytest.raises(Exception, match="too little open files"):
        require_limits(40, tmp_path)


def limited_to(files: int) -> Callable[[int], tuple[int, int]]:
    def getrlimit(kind: int) -> tuple[int, int]:
        return (files, files) if kind == resource.RLIMIT_NOFILE else (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    return getrlimit


@pytest.mark.parametrize(
    ("line", "folder", "names"),
    [
        ("0::/desk", "sys/fs/cgroup/desk", ("memory.max", "memory.current", "inactive_file")),
        (
            "4:cpu,memory:/desk",
            "sys/fs/cgroup/cpu,memory/desk",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
    ],
)
def test_the_memory_of_a_container_counts(tmp_path: Path, line: str, folder: str, names: tuple[str, str, str]) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"{line}\n")
    (tmp_path / "meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n")
    group = tmp_path / folder
    group.mkdir(parents=True)
    for name, text in ((names[0], 500 * MB), (names[1], 300 * MB), ("memory.stat", f"{names[2]} {40 * MB}")):
        (group / name).write_text(f"{text}\n")

    assert available_memory(tmp_path / "meminfo", tmp_path) == (240 * MB, f"memory of the control group {group}")

    (group / names[0]).write_text("max\n" if names[0] == "memory.max" else "9223372036854771712\n")
    assert available_memory(tmp_path / "meminfo", tmp_path)[0] == 4000000 * 1024
