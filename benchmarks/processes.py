"""What the processes under test use: CPU time and memory, read from /proc for the process trees started here."""

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
    """CPU time since the process began (user and system), resident memory now and at its peak."""

    cpu_s: float
    rss_mb: float
    peak_rss_mb: float

    def __add__(self, other: tuple[object, ...]) -> "Usage":
        """Of two processes together."""
        assert isinstance(other, Usage)
        return Usage(self.cpu_s + other.cpu_s, self.rss_mb + other.rss_mb, self.peak_rss_mb + other.peak_rss_mb)


class Processes:
    """The tree below `root`, without `others` and their trees. Named are the pids in `names`; the rest by what runs.

    The tree is looked up by `refresh`, because walking all of /proc costs milliseconds; `usage` reads only
    what was found then. A process that has ended since is left out.
    """

    def __init__(self, root: int, names: Mapping[int, str], others: Collection[int] = ()) -> None:
        self._root = root
        self._names = dict(names)
        self._others = frozenset(others)
        self._found: dict[int, str] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look for processes that came since."""
        children: dict[int, list[int]] = {}
        for pid, fields in _all():
            children.setdefault(int(fields[1]), []).append(pid)
        found: dict[int, str] = {}
        open_ = [self._root]
        while open_:
            pid = open_.pop()
            if pid not in self._others:
                found[pid] = self._names.get(pid) or self._found.get(pid) or _called(pid)
                open_ += children.get(pid, [])
        self._found = found

    def usage(self) -> dict[str, Usage]:
        """By name; processes of one name are added up."""
        used: dict[str, Usage] = {}
        for pid, name in self._found.items():
            one = _usage(pid)
            if one is not None:
                used[name] = used[name] + one if name in used else one
        return used


def loopback_bytes() -> int:
    """Bytes that went over the loopback interface since the machine started, of everybody on it."""
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
    """The fields of /proc/<pid>/stat from the third on (proc(5)); None when there is no such process any more."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def _called(pid: int) -> str:
    """A process that nobody named: one of Ray's by its program or title, or its command."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
    for word in words[:4]:
        if (part := RAY_PARTS.get(Path(word).name)) is not None:
            return f"ray: {part}"
    return Path(words[0]).name or "?"
