"""Breadcrumbs in shared memory: a process's current strategy call, which others can read, also after its death.

Each incarnation of a consumer or of the scanners writes a trail of files: cells that are written before each call, with
room for a last note; the instances' names, a line each; what faulthandler writes in a crash; and the processes that it
started. The files survive the process. The desk's watchdog removes them; they remain if the driver is killed and the
run never resumed, or on a node that could not be reached at the desk's end.
"""

import contextlib
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from mmap import mmap
from pathlib import Path
from typing import Final, Self

import msgspec

from desk.process.children import ChildProcess, end_marked_processes, end_processes
from desk.telemetry.breadcrumb_port import CALLS, CELLS, PER_INSTANCE, SUSPECT

BATCHES: Final = CELLS
NOTE_BYTES: Final = 400
NOTE_AT: Final = (CELLS + 1) * 8
LAYOUT: Final = struct.Struct(f"={CELLS + 1}q{NOTE_BYTES}s")
IN_CALL, IN_THREAD = b"c", b"t"
SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder below is this user's alone
_encode = msgspec.json.Encoder().encode
_decode_name = msgspec.json.Decoder(tuple[str, str]).decode
_decode_children = msgspec.json.Decoder(list[ChildProcess]).decode
_FATAL: Final = re.compile(rb"Fatal Python error: (.+)")
_LINE: Final = re.compile(rb'File "(.+)", line (\d+)')


class Breadcrumb(msgspec.Struct, frozen=True):
    """The content of a trail: the process's current or last call, and the number of batches it had started.

    `hook` is empty outside of strategies. `at` is as in `desk.telemetry.breadcrumb_port`. Two equal readings at
    different times: no progress. `suspect` is the strategy, symbol and hook of the last call that did something that
    may end the process later. `ended` is the call by which the process ended itself, `in_thread` whether another thread
    than the main one made it, `crash` the fatal signal and its place.
    """

    strategy: str = ""
    symbol: str = ""
    hook: str = ""
    at: int = 0
    batches: int = 0
    suspect: tuple[str, str, str] | None = None
    ended: str = ""
    in_thread: bool = False
    crash: str = ""

    @property
    def call(self) -> tuple[str, str, str, int]:
        """The call without batch and incarnation, for comparisons."""
        return self.strategy, self.symbol, self.hook, self.at

    def __str__(self) -> str:
        return f"{self.hook} of {self.strategy}" + (f" on {self.symbol}" if self.symbol else "")


class BreadcrumbTrail:
    """The trail of this process: `desk.telemetry.breadcrumb_port.BreadcrumbWriter`, in files."""

    def __init__(self, path: Path) -> None:
        """Create the trail. Raises OSError if there is no space."""
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with path.open("wb+") as file:
            os.posix_fallocate(file.fileno(), 0, LAYOUT.size)  # else a full file system would kill at the first write
            memory = memoryview(mmap(file.fileno(), LAYOUT.size))
        self.cells: memoryview[int] = memory[:NOTE_AT].cast("q")
        self._note = memory[NOTE_AT:]
        self._path = path
        self._names = os.open(_names(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # as long as the process
        self._met: list[tuple[str, str]] = []
        self._full = False
        self._make_room: Callable[[], None] | None = None

    @classmethod
    def create(cls, desk: str, actor: str, epoch: int) -> Self:
        """Create a trail in shared memory, else in the temporary folder. Raises OSError if neither has space."""
        first, *others = _paths(desk, actor, epoch)
        try:
            return cls(first)
        except OSError:
            if not others:
                raise
            return cls(others[0])

    def register(self, strategy: str, symbol: str) -> int:
        """Write the instance's names; return its number. When the space is used up, later instances share a number."""
        line = _encode((strategy, symbol)) + b"\n"
        try:
            self._full = self._full or os.write(self._names, line) < len(line)
        except OSError:
            self._full = True
        if self._full:
            return 0
        self._met.append((strategy, symbol))
        return len(self._met) * PER_INSTANCE

    def on_memory_exhausted(self) -> None:
        """Raise the memory limit again, for the other strategies."""
        if self._make_room is not None:
            self._make_room()

    def when_exhausted(self, make_room: Callable[[], None]) -> None:
        """Set the function to call after a strategy was stopped for lack of memory."""
        self._make_room = make_room

    @property
    def suspect(self) -> tuple[str, str] | None:
        """Strategy and symbol of the suspect call; None before the first."""
        number = self.cells[SUSPECT] // PER_INSTANCE
        return self._met[number - 1] if number else None

    def note_end(self, text: str, *, in_thread: bool) -> None:
        """Note the call by which the process is ending itself."""
        note = (IN_THREAD if in_thread else IN_CALL) + text.encode(errors="replace")[: NOTE_BYTES - 2]
        self._note[: len(note) + 1] = note + b"\0"

    def open_crash_file(self) -> int:
        """A descriptor for what faulthandler writes. Raises OSError."""
        return os.open(_crash(self._path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def note_children(self, children: list[ChildProcess]) -> None:
        """Write the running child processes."""
        with contextlib.suppress(OSError):  # no space: they can be found by their parent while it runs
            _children(self._path).write_bytes(_encode(children))

    def batch(self) -> None:
        """Note the start of another batch."""
        self.cells[BATCHES] += 1


def read_breadcrumb(desk: str, actor: str, epoch: int) -> Breadcrumb | None:
    """Read this incarnation's trail on this machine; None if there is none."""
    for path in _paths(desk, actor, epoch):
        try:
            call, at, suspect, batches, note = LAYOUT.unpack(path.read_bytes())
            strategy, symbol, hook = _named(path, call) or ("", "", "")
            suspected = _named(path, suspect)
        except (OSError, struct.error, IndexError, msgspec.MsgspecError):
            continue
        text = note.partition(b"\0")[0]
        return Breadcrumb(
            strategy,
            symbol,
            hook,
            at if hook else 0,
            batches,
            suspected,
            text[1:].decode(errors="replace"),
            text[:1] == IN_THREAD,
            _crash_text(path),
        )
    return None


def remove_trail(desk: str, actor: str, epoch: int) -> None:
    """Remove this incarnation's trail on this machine, and kill the processes that it started."""
    for path in _paths(desk, actor, epoch):
        _end_children(path)
        for file in (path, _names(path), _crash(path), _children(path)):
            file.unlink(missing_ok=True)


def remove_trails(desk: str) -> None:
    """Remove all trails of this desk on this machine, and kill the processes that its strategies left."""
    for folder in trail_folders(desk):
        for path in folder.glob("*.crumbs"):
            _end_children(path)
        shutil.rmtree(folder, ignore_errors=True)
    end_marked_processes(desk)


def _named(path: Path, call: int) -> tuple[str, str, str] | None:
    number, code = divmod(call, PER_INSTANCE)
    if not number:
        return None
    return (*_decode_name(_names(path).read_bytes().splitlines()[number - 1]), CALLS[code])


def _crash_text(path: Path) -> str:
    try:
        text = _crash(path).read_bytes()
    except OSError:
        return ""
    kind, line = _FATAL.search(text), _LINE.search(text)
    if kind is None:
        return ""
    where = b"" if line is None else b" at " + line[1] + b", line " + line[2]
    return (kind[1] + where).decode(errors="replace")


def _end_children(path: Path) -> None:
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        end_processes(_decode_children(_children(path).read_bytes()))


def trail_folders(desk: str) -> Iterator[Path]:
    """The folders on this machine that may have trails of this desk."""
    for root in dict.fromkeys((SHARED_MEMORY, Path(tempfile.gettempdir()))):
        if root.is_dir():
            yield root / desk


def _paths(desk: str, actor: str, epoch: int) -> list[Path]:
    return [folder / f"{actor}-{epoch}.crumbs" for folder in trail_folders(desk)]


def _names(path: Path) -> Path:
    return path.with_suffix(".names")


def _crash(path: Path) -> Path:
    return path.with_suffix(".crash")


def _children(path: Path) -> Path:
    return path.with_suffix(".children")
