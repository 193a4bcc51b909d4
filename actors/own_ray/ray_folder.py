"""The private folder for sockets, logs and token of the desk's own Ray; removed at the end.

A Unix socket's path has at most 107 bytes (unix(7)), and Ray appends its own names to the folder. Ray makes its folder
accessible to all users, so it uses one below the private folder.
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
"""Length of the random part of a name from tempfile.mkdtemp."""
SOCKET_BYTES: Final = 107
MOST_BYTES: Final = SOCKET_BYTES - len(f"/{PREFIX}/{RAY}/{SESSION}/sockets/plasma_store") - RANDOM_BYTES
SHORT: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - folders made there are private to this user
VARIABLES: Final = ("RAY_TMPDIR", "TMPDIR")


class RayFolder:
    """A new folder, mode 0700, locked while this process runs; `note` explains a location other than TMPDIR.

    Raises PlanError if the environment names an unusable folder, or none can be created.
    """

    def __init__(self, short: tuple[str, ...] = SHORT) -> None:
        named = _temporary_folder()
        self.note = ""
        parents: tuple[str, ...] = (named, *short) if named else short
        if named and len(os.fsencode(named)) > MOST_BYTES:
            self.note = f"{_variable()}={named} is too long for sockets below it"
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
        """The folder that Ray uses."""
        return str(self.path / RAY)

    @property
    def logs(self) -> Path:
        """The folder of the logs of Ray's processes."""
        return self.path / RAY / SESSION / "logs"

    def remove(self) -> None:
        """Remove the folder, then release its lock."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def remove_leftovers(parents: tuple[str, ...] = SHORT) -> list[Path]:
    """Kill the remaining processes of killed desks, remove their folders, and return those.

    Only folders of this user, mode 0700, whose lock no process holds are removed.
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
        f"no folder can be created in any of {', '.join(parents)}",
        f"a writable folder with a path of at most {MOST_BYTES} bytes",
        f"Set {VARIABLES[0]} to such a folder.",
    )


def _lock(folder: Path) -> int:
    """Create the lock file: locked first, then named, so that no other desk removes the folder in between."""
    unnamed = folder / f"{LOCK}.new"
    lock = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unnamed.rename(folder / LOCK)
    return lock


def _temporary_folder() -> str:
    """The folder for temporary files from the environment variables that Ray reads; empty if none is set."""
    variable = _variable()
    if not variable:
        return ""
    folder = Path(os.environ[variable])
    fault = ""
    if not folder.is_absolute():
        fault = "is not absolute"
    elif not folder.is_dir():
        fault = "is not a folder"
    elif not os.access(folder, os.W_OK | os.X_OK):
        fault = "is not writable"
    if fault:
        raise PlanError(
            f"environment, {variable}",
            f"`{folder}` {fault}",
            "an absolute path of a writable folder, for temporary files",
            f"Create the folder, or unset {variable}.",
        )
    return str(folder)


def _variable() -> str:
    return next((name for name in VARIABLES if os.environ.get(name)), "")
