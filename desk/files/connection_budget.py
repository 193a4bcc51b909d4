"""The connections that a venue allows one key at one endpoint, shared between the desks of one machine by file locks.

Most plans of vendors allow one. A lock ends with the process that holds it, however it dies. The names of the files are
hashes: no key is written.

Tests: tests/desk/files/test_connection_budget.py
"""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Final
from weakref import WeakSet

import msgspec

from desk.config import load_settings
from desk.files.private import make_private_folder, private_opener
from desk.files.state_folder import require_private_folder, state_folder
from desk.model.errors import RunFailed
from desk.telemetry import formatting

FOLDER: Final = "connections"
HASH_CHARS: Final = 32
MAX_HOLDER_BYTES: Final = 1024
NOT_LOCKED: Final = -1


class LockHolder(msgspec.Struct, frozen=True):
    """The content of a lock file: the process that holds the connection, its desk, and since when."""

    pid: int = 0
    desk: str = ""
    since_ns: int = 0

    def __str__(self) -> str:
        desk = f"desk {self.desk!r}, " if self.desk else ""
        return f"{desk}process {self.pid}, since {formatting.utc_time(self.since_ns)}"


class ConnectionBudget:
    """At most `connections` connections of `key` to `endpoint` at one time, over all processes that share the folder.

    `desk` names this desk to others that are refused.
    """

    def __init__(self, key: str, endpoint: str, connections: int, desk: str, folder: Path) -> None:
        name = hashlib.sha256(f"{key}\0{endpoint}".encode()).hexdigest()[:HASH_CHARS]
        self._paths = [folder / f"{name}.{number}.lock" for number in range(connections)]
        self._folder = folder
        self._connections = connections
        self._desk = desk
        self._descriptor = NOT_LOCKED
        _budgets.add(self)

    @property
    def is_held(self) -> bool:
        """Whether this budget holds one of the connections."""
        return self._descriptor != NOT_LOCKED

    def acquire(self, now_ns: int) -> bool:
        """Take one of the connections, without waiting; return whether one was free, or is held already.

        Raises OSError if the folder cannot be used, RunFolderError if others can write in it.
        """
        if self.is_held:
            return True
        if not self._folder.is_dir():
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            make_private_folder(self._folder, exist_ok=True)
        require_private_folder(self._folder)
        for path in self._paths:
            descriptor = private_opener(str(path), os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            self._descriptor = descriptor
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, msgspec.json.encode(LockHolder(os.getpid(), self._desk, now_ns)), 0)
            return True
        return False

    def release(self) -> None:
        """Free the connection. The file stays: its removal would let two desks hold two files of one name."""
        if self.is_held:
            os.close(self._descriptor)
            self._descriptor = NOT_LOCKED

    def refusal(self, place: str) -> RunFailed:
        """The error of a desk for which no connection is left, with the desks that hold them."""
        holders = "; ".join(filter(None, map(_holder, self._paths)))
        return RunFailed(
            place,
            f"another desk of this machine uses the connection of this key ({holders or 'it does not say which'})",
            f"at most {formatting.some(self._connections, 'connection')} of a key to one endpoint",
            "Stop that desk, or let both read one connection (`desk venue --relay`); where the venue allows more, "
            "raise [feed] connections.",
        )


_budgets: WeakSet[ConnectionBudget] = WeakSet()


def connection_budget(key: str, endpoint: str, connections: int, desk: str) -> ConnectionBudget | None:
    """The budget of a key at an endpoint, kept in the user's state folder; None if `connections` is 0: no limit.

    Raises OSError if there is no home folder.
    """
    if not connections:
        return None
    return ConnectionBudget(key, endpoint, connections, desk, state_folder(load_settings()) / FOLDER)


def _holder(path: Path) -> str:
    """The holder of a lock, in words; "" if the file does not say."""
    try:
        with path.open("rb") as file:
            return str(msgspec.json.decode(file.read(MAX_HOLDER_BYTES), type=LockHolder))
    except (OSError, msgspec.MsgspecError):
        return ""


def _forget_in_child() -> None:
    """Close the descriptors in a child that was forked: it would keep the locks of a parent that dies."""
    for budget in _budgets:
        budget.release()


os.register_at_fork(after_in_child=_forget_in_child)
