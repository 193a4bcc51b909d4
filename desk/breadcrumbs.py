"""Breadcrumbs in shared memory: which strategy a consumer's process is in, for who looks from outside or afterwards.

Each incarnation of a shard lays a trail of two files: cells that are written before each call, and the instances'
names, a line each. A process that is killed leaves them as they were. Whoever watches the desk removes them; they
stay where nobody did: when the watching process itself is killed and the run never resumed, or on a node that could
not be reached at the desk's end.
"""

import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from mmap import mmap
from pathlib import Path
from typing import Final, Self

import msgspec

from desk.engine.crumbs import CALLS, CELLS, PER_INSTANCE

BATCHES: Final = CELLS
LAYOUT: Final = struct.Struct(f"={CELLS + 1}q")
SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder below is this user's alone
_encode = msgspec.json.Encoder().encode
_decode_name = msgspec.json.Decoder(tuple[str, str]).decode


class Crumb(msgspec.Struct, frozen=True):
    """What was found of a process: the call it is or was in, and how many batches it had taken up.

    `hook` is empty outside of strategies. `at` is as in `desk.engine.crumbs`. Equal twice, with time between: nothing
    has moved.
    """

    strategy: str = ""
    symbol: str = ""
    hook: str = ""
    at: int = 0
    batches: int = 0

    @property
    def call(self) -> tuple[str, str, str, int]:
        """The call, whichever batch of whichever incarnation made it."""
        return self.strategy, self.symbol, self.hook, self.at

    def __str__(self) -> str:
        return f"{self.hook} of {self.strategy} on {self.symbol}"


class Trail:
    """The trail of this process: `desk.engine.crumbs.Crumbs`, in files."""

    def __init__(self, path: Path) -> None:
        """Lay it. Raises OSError where there is no room."""
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with path.open("wb+") as file:
            os.posix_fallocate(file.fileno(), 0, LAYOUT.size)  # else a full file system would kill at the first write
            self.cells: memoryview[int] = memoryview(mmap(file.fileno(), LAYOUT.size)).cast("q")
        self._names = os.open(_names(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # as long as the process
        self._met = 0
        self._full = False
        self._make_room: Callable[[], None] | None = None

    @classmethod
    def lay(cls, desk: str, shard: int, epoch: int) -> Self:
        """Lay it in shared memory, else where temporary files go. Raises OSError where neither has room."""
        first, *others = _paths(desk, shard, epoch)
        try:
            return cls(first)
        except OSError:
            if not others:
                raise
            return cls(others[0])

    def meet(self, strategy: str, symbol: str) -> int:
        """Write the names down; the instance's crumb. From where there is no room any more, nobody is told apart."""
        line = _encode((strategy, symbol)) + b"\n"
        try:
            self._full = self._full or os.write(self._names, line) < len(line)
        except OSError:
            self._full = True
        if self._full:
            return 0
        self._met += 1
        return self._met * PER_INSTANCE

    def exhausted(self) -> None:
        """Leave room for the others."""
        if self._make_room is not None:
            self._make_room()

    def when_exhausted(self, make_room: Callable[[], None]) -> None:
        """Call this when a strategy had no more memory and was stopped."""
        self._make_room = make_room

    def batch(self) -> None:
        """Another batch is taken up."""
        self.cells[BATCHES] += 1


def look(desk: str, shard: int, epoch: int) -> Crumb | None:
    """What this incarnation's trail on this machine says; None where there is none."""
    for path in _paths(desk, shard, epoch):
        try:
            call, at, batches = LAYOUT.unpack(path.read_bytes())
            number, code = divmod(call, PER_INSTANCE)
            if not number:
                return Crumb(batches=batches)
            strategy, symbol = _decode_name(_names(path).read_bytes().splitlines()[number - 1])
        except (OSError, struct.error):
            continue
        return Crumb(strategy, symbol, CALLS[code], at, batches)
    return None


def remove(desk: str, shard: int, epoch: int) -> None:
    """Remove this incarnation's trail on this machine."""
    for path in _paths(desk, shard, epoch):
        path.unlink(missing_ok=True)
        _names(path).unlink(missing_ok=True)


def remove_all(desk: str) -> None:
    """Remove all trails of this desk on this machine."""
    for folder in folders(desk):
        shutil.rmtree(folder, ignore_errors=True)


def folders(desk: str) -> Iterator[Path]:
    """Where trails of this desk may be on this machine."""
    for root in dict.fromkeys((SHARED_MEMORY, Path(tempfile.gettempdir()))):
        if root.is_dir():
            yield root / desk


def _paths(desk: str, shard: int, epoch: int) -> list[Path]:
    return [folder / f"{shard:02}-{epoch}.crumbs" for folder in folders(desk)]


def _names(path: Path) -> Path:
    return path.with_suffix(".names")
