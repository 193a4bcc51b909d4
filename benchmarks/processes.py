"""CPU time and memory of the processes under test, read from /proc."""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
PAGE_MB: Final = os.sysconf("SC_PAGE_SIZE") / (1 << 20)
KB_PER_MB: Final = 1024

RAY_PARTS: Final = {
    "gcs_server": "gcs",
    "raylet": "raylet",
    "ray::RuntimeEnvAgent": "agents",
    "ray::DashboardAgent": "agents",
    "ray::IDLE": "idle workers",
    "dashboard.py": "dashboard",
    "log_monitor.py": "log monitor",
    "monitor.py": "monitor",
}


class Usage(NamedTuple):
    """CPU time since the process started (user and system), and resident memory, current and peak."""

    cpu_s: float
    rss_mb: float
    peak_rss_mb: float

    def __add__(self, other: tuple[object, ...]) -> "Usage":
        """Sum two processes."""
        assert isinstance(other, Usage)
        return Usage(self.cpu_s + other.cpu_s, self.rss_mb + other.rss_mb, self.peak_rss_mb + other.peak_rss_mb)


class Processes:
    """The process tree below `root`, without the trees of `excluded`.

    A pid in `names` has that name; other processes are named for their program. `refresh` finds the processes, because
    a walk over /proc takes milliseconds; `usage` reads only those, and omits the ones that have ended.
    """

    def __init__(self, root: int, names: Mapping[int, str], excluded: Collection[int] = ()) -> None:
        self._root = root
        self._names = dict(names)
        self._excluded = frozenset(excluded)
        self._found: dict[int, str] = {}
        self.refresh()

    def refresh(self) -> None:
        """Find the processes of the tree."""
        children: dict[int, list[int]] = {}
        for pid, fields in _all():
            children.setdefault(int(fields[1]), []).append(pid)
        found: dict[int, str] = {}
        to_visit = [self._root]
        while to_visit:
            pid = to_visit.pop()
            if pid not in self._excluded:
                found[pid] = self._names.get(pid) or self._found.get(pid) or _name_of(pid)
                to_visit += children.get(pid, [])
        self._found = found

    def usage(self) -> dict[str, Usage]:
        """Usage by name; processes of one name are summed."""
        used: dict[str, Usage] = {}
        for pid, name in self._found.items():
            one = _usage(pid)
            if one is not None:
                used[name] = used[name] + one if name in used else one
        return used


def loopback_bytes() -> int:
    """Bytes sent over the loopback interface since boot, by all processes."""
    for line in (PROC / "net/dev").read_text(encoding="ascii").splitlines():
        name, _, figures = line.partition(":")
        if name.strip() == "lo":
            return int(figures.split()[0])
    return 0


def _usage(pid: int) -> Usage | None:
    fields = _stat(pid)
    if fields is None:
        return None
    rss_mb = int(fields[21]) * PAGE_MB
    return Usage((int(fields[11]) + int(fields[12])) * TICK_S, rss_mb, _peak_mb(pid) or rss_mb)


def _peak_mb(pid: int) -> float | None:
    try:
        lines = (PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return next((int(line.split()[1]) / KB_PER_MB for line in lines if line.startswith("VmHWM:")), None)


def _all() -> Iterator[tuple[int, list[str]]]:
    for entry in os.scandir(PROC):
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) is not None:
            yield int(entry.name), fields


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the third on (proc(5)); None if the process has ended."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def _name_of(pid: int) -> str:
    """The name of one of Ray's processes by its program or title; else the program."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return "ended"
    for word in words[:4]:
        if (part := RAY_PARTS.get(Path(word).name)) is not None:
            return f"ray: {part}"
    return Path(words[0]).name or "?"
