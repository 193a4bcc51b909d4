"""Where the desk's own Ray keeps its sockets, logs and token: a folder of this user's alone, removed at the end.

A Unix socket's path has 107 bytes at most (unix(7)), of which Ray needs some behind the folder. Ray makes the folders
that it is given accessible to everybody, so it gets one below the private one.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

from actors.own_ray.cleanup import RAY, TOKEN, kill_all
from desk.model.errors import PlanError

PREFIX: Final = "raydesk-"
LOCK: Final = "lock"
SESSION: Final = "s"
RANDOM_BYTES: Final = 8
"""Length of the random part of a name that tempfile.mkdtemp gives."""
SOCKET_BYTES: Final = 107
MOST_BYTES: Final = SOCKET_BYTES - len(f"/{PREFIX}/{RAY}/{SESSION}/sockets/plasma_store") - RANDOM_BYTES
SHORT: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - what is made there is a folder of this user's alone
VARIABLES: Final = ("RAY_TMPDIR", "TMPDIR")


class RayFolder:
    """A new folder, 0700, with a lock that is free again when this process has ended; `note` says why it is elsewhere.

    Raises PlanError where the environment names a folder that cannot be used, or none can be made.
    """

    def __init__(self, short: tuple[str, ...] = SHORT) -> None:
        said = _said()
        self.note = ""
        parents: tuple[str, ...] = (said, *short) if said else short
        if said and len(os.fsencode(said)) > MOST_BYTES:
            self.note = f"{_variable()}={said} is too long for sockets below it"
            parents = short
        self.path = _make(parents)
        if self.note:
            self.note = f"Ray works in {self.path} until the desk ends: {self.note}"
        self._lock = _lock(self.path)

    @property
    def token(self) -> Path:
        """The file of the token."""
        return self.path / TOKEN

    @property
    def for_ray(self) -> str:
        """The folder to give to Ray."""
        return str(self.path / RAY)

    @property
    def logs(self) -> Path:
        """Where Ray's processes write their logs."""
        return self.path / RAY / SESSION / "logs"

    def remove(self) -> None:
        """Remove the folder, then free its lock."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def remove_leftovers(parents: tuple[str, ...] = SHORT) -> list[Path]:
    """Remove the folders of desks that were killed, end what is left of their processes, and return the folders.

    A folder counts when it is this user's alone (0700) and no process holds its lock.
    """
    swept = []
    for parent in dict.fromkeys((tempfile.gettempdir(), *parents)):
        for folder in Path(parent).glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                if _sweep(folder):
                    swept.append(folder)
    return swept


def _sweep(folder: Path) -> bool:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != 0o700:
        return False
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        kill_all(str(folder))
        shutil.rmtree(folder)
    finally:
        os.close(lock)
    return True


def _make(parents: tuple[str, ...]) -> Path:
    for parent in parents:
        with contextlib.suppress(OSError):
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))  # 0700
    raise PlanError(
        f"environment, {_variable() or VARIABLES[0]}",
        f"no folder can be made in any of {', '.join(parents)}",
        f"a folder that can be written, with a path of at most {MOST_BYTES} bytes",
        f"Set {VARIABLES[0]} to such a folder.",
    )


def _lock(folder: Path) -> int:
    """Make the lock file. It gets its name once it is locked, so that no sweep can come between."""
    unnamed = folder / f"{LOCK}.new"
    lock = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unnamed.rename(folder / LOCK)
    return lock


def _said() -> str:
    """The folder for temporary files that the environment names, as Ray looks for it; empty where none is named."""
    variable = _variable()
    if not variable:
        return ""
    folder = Path(os.environ[variable])
    fault = ""
    if not folder.is_absolute():
        fault = "is not absolute"
    elif not folder.is_dir():
        fault = "is no folder"
    elif not os.access(folder, os.W_OK | os.X_OK):
        fault = "cannot be written"
    if fault:
        raise PlanError(
            f"environment, {variable}",
            f"`{folder}` {fault}",
            "an absolute path of a folder that can be written, for temporary files",
            f"Make the folder, or unset {variable}.",
        )
    return str(folder)


def _variable() -> str:
    return next((name for name in VARIABLES if os.environ.get(name)), "")
