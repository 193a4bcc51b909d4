"""CPU throttling of this process's control group: how long its CPU quota was used up.

Tests: tests/desk/process/test_waits.py
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/proc/self/cgroup")
MOUNTS: Final = Path("/proc/self/mounts")
V1, V2 = b"throttled_time", b"throttled_usec"
"""In cpu.stat: ns in version 1, µs in version 2 (Linux, admin-guide/cgroup-v2.rst, scheduler/sched-bwc.rst)."""


class CpuThrottling:
    """The throttled time of the group of this process and of the groups above it, of which any may have a quota.

    A process may be moved to another group: `refresh` looks, in the thread that calls `throttled_ns`.
    """

    def __init__(self, cgroups: Path = CGROUPS, mounts: Path = MOUNTS) -> None:
        self._cgroups, self._mounts = cgroups, mounts
        self._groups = b""
        self._files: list[int] = []
        self._earlier_ns = self._first_ns = 0
        self.refresh()

    @property
    def available(self) -> bool:
        """Whether throttling is measured."""
        return bool(self._files)

    def throttled_ns(self) -> int:
        """Throttled time since the first call of `refresh`, summed over the groups and over CPUs."""
        return self._earlier_ns + sum(map(_throttled_ns, self._files)) - self._first_ns

    def refresh(self) -> None:
        """Follow the process into another group."""
        try:
            groups = self._cgroups.read_bytes()
        except OSError:
            return
        if groups == self._groups:
            return
        self._earlier_ns = self.throttled_ns()
        self.close()
        self._groups = groups
        paths = stat_files(self._cgroups, self._mounts)
        self._files = [file for path in paths if (file := _opened(path)) is not None]
        self._first_ns = sum(map(_throttled_ns, self._files))

    def close(self) -> None:
        """Close the kernel's files."""
        for file in self._files:
            os.close(file)
        self._files.clear()

    def __del__(self) -> None:
        self.close()


def stat_files(cgroups: Path, mounts: Path) -> Iterator[Path]:
    """The cpu.stat of the process's own group, then of each group above it."""
    try:
        lines = cgroups.read_text().splitlines()
        mounted = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return
    for line in lines:
        _, controllers, own = line.split(":", 2)
        kind = "cgroup2" if not controllers else "cgroup"
        if controllers and "cpu" not in controllers.split(","):
            continue
        roots = [
            Path(point)
            for _, point, found, options, *_ in mounted
            if found == kind and (not controllers or "cpu" in options.split(","))
        ]
        for root in roots[:1]:
            group = root / own.lstrip("/")
            yield group / "cpu.stat"
            yield from (above / "cpu.stat" for above in group.parents if above.is_relative_to(root))


def _throttled_ns(file: int) -> int:
    try:
        words = os.pread(file, 1024, 0).split()
    except OSError:  # the group was removed
        return 0
    counts = dict(zip(words[::2], words[1::2], strict=False))
    return int(counts[V1]) if V1 in counts else int(counts.get(V2, 0)) * 1_000


def _opened(path: Path) -> int | None:
    """The open file, if it counts throttling: a root group of version 2 does not."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    if b"throttled_" in os.pread(file, 1024, 0):
        return file
    os.close(file)
    return None
