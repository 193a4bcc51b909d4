"""The resources that the desk's own Ray needs, checked before it starts: without them Ray hangs or aborts.

The figures are minima, measured with Ray 2.60 and 2 to 6 consumers: below them a desk does not start.
"""

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from actors.own_ray import OBJECT_STORE_BYTES
from desk.model.errors import PlanError

MB: Final = 1024 * 1024
CONTROL_PROCESSES: Final = 6
"""Producer, broker, ledger, keeper, scanner, and a spare."""
FILES: Final = (64, 8)
"""Open files of each Ray process: a fixed number, and a number per process of the desk."""
MEMORY_MB: Final = (350, 60)
TASKS: Final = (100, 25)
"""Processes and threads."""
LIMITS_MB: Final = (
    ("virtual memory", "-v", resource.RLIMIT_AS, 4096),
    ("data segment", "-d", resource.RLIMIT_DATA, 2048),
    ("file size", "-f", resource.RLIMIT_FSIZE, 256),
)
TEMPORARY_MB: Final = 64
SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - Ray's object store
MEMORY_INFO: Final = Path("/proc/meminfo")


def require_limits(consumers: int, temporary: Path, shared: Path = SHARED_MEMORY) -> str:
    """Check limits, memory and disk for this number of consumers. Raises PlanError if one is too small.

    Returns a warning if the shared memory is small, which Ray works around, else an empty string.
    """
    processes = CONTROL_PROCESSES + consumers
    _require_files(processes)
    for name, flag, kind, least in LIMITS_MB:
        found, _ = resource.getrlimit(kind)
        if found != resource.RLIM_INFINITY and found < least * MB:
            raise _too_little(f"{name} (ulimit {flag})", f"{found // MB} MB", f"{least} MB", f"ulimit {flag} unlimited")
    _require_tasks(processes)
    needed_mb = MEMORY_MB[0] + MEMORY_MB[1] * processes
    free, where = available_memory()
    if free < needed_mb * MB:
        remedy = "Free memory, raise the limit, or take fewer consumers ([consumers] count)."
        raise _too_little(where, f"{free // MB} MB", f"{needed_mb} MB for {consumers} consumers", remedy)
    return _require_disk(temporary, shared)


def available_memory(info: Path = MEMORY_INFO, groups: Path = Path("/")) -> tuple[int, str]:
    """Free memory in bytes, and the machine or control group that limits it."""
    fields = dict(line.split(":") for line in info.read_text().splitlines())
    found = [(int(fields["MemAvailable"].split()[0]) * 1024, "memory of this machine")]
    for folder in control_groups("memory", groups):
        for most, used, spare in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            limit = _number(folder / most)
            if limit is not None:
                stats = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                free = limit - (_number(folder / used) or 0) + int(stats.get(spare, 0))
                found.append((max(free, 0), f"memory of the control group {folder}"))
    return min(found)


def control_groups(controller: str, root: Path = Path("/")) -> Iterator[Path]:
    """The folders of the control groups that limit this process: of version 2, and of this controller in version 1."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        top = root / "sys/fs/cgroup"
        if controllers:
            if controller not in controllers.split(","):
                continue
            top /= controllers
        folder = top / path.lstrip("/")
        yield from (group for group in (folder, *folder.parents) if group.is_relative_to(top) and group.is_dir())


def _require_files(processes: int) -> None:
    needed = FILES[0] + FILES[1] * processes
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed and hard != resource.RLIM_INFINITY and hard < needed:
        raise _too_little("open files (ulimit -n)", str(hard), str(needed), f"ulimit -n {max(needed, 4096)}")
    # Ray raises the soft limit to the hard one itself.


def _require_tasks(processes: int) -> None:
    needed = TASKS[0] + TASKS[1] * processes
    found, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if os.geteuid() and found != resource.RLIM_INFINITY and found < needed:  # the limit does not apply to root
        raise _too_little("processes and threads (ulimit -u)", str(found), str(needed), f"ulimit -u {4 * needed}")
    for folder in control_groups("pids"):
        limit = _number(folder / "pids.max")
        free = None if limit is None else limit - (_number(folder / "pids.current") or 0)
        if free is not None and free < needed:
            remedy = "Raise the limit of the container or service (pids.max)."
            raise _too_little(f"processes and threads of the control group {folder}", str(free), str(needed), remedy)


def _require_disk(temporary: Path, shared: Path) -> str:
    objects_mb = OBJECT_STORE_BYTES // MB
    shared_mb = shutil.disk_usage(shared).free // MB if shared.is_dir() else 0
    needed_mb = TEMPORARY_MB + (0 if shared_mb >= objects_mb else objects_mb)
    free_mb = shutil.disk_usage(temporary).free // MB
    if free_mb < needed_mb:
        remedy = f"Free space there or in {shared}, or set RAY_TMPDIR to a folder on another disk."
        raise _too_little(f"space in {temporary.parent}", f"{free_mb} MB", f"{needed_mb} MB", remedy)
    if shared_mb >= objects_mb:
        return ""
    return f"{shared} has {shared_mb} MB free, Ray wants {objects_mb}: it keeps objects in {temporary} instead"


def _number(file: Path) -> int | None:
    """The number in a limit's file; None for no limit, or no such file."""
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _too_little(what: str, found: str, needed: str, remedy: str) -> PlanError:
    if remedy.startswith("ulimit"):
        remedy = f"Run `{remedy}` first, or raise the limit of the service."
    return PlanError("environment", f"too little {what}: {found}", f"at least {needed}", remedy)
