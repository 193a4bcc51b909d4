"""Checks that only this user can have written in a run folder.

Tests: tests/desk/inprocess/test_resume_judged.py
"""

import os
import stat
from pathlib import Path

from desk.model.errors import RunFolderError

OTHERS_WRITE = 0o022
OTHERS_ANY = 0o077


def require_own_folder(folder: Path) -> list[str]:
    """Check a run folder and everything in it; return a note if the right of others to read was removed.

    Raises RunFolderError for what belongs to another user, what group or others can write, and whatever is neither a
    folder nor a file with a single name: links, pipes, sockets, devices.
    """
    tightened = 0
    places = [folder]
    try:
        while places:
            place = places.pop()
            found = place.lstat()
            _require_own(place, found)
            if found.st_mode & OTHERS_ANY:
                place.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS_ANY)
                tightened += 1
            if stat.S_ISDIR(found.st_mode):
                places += (Path(entry.path) for entry in os.scandir(place))
    except OSError as error:
        raise RunFolderError(
            str(error.filename or folder),
            f"it cannot be examined: {error.strerror}",
            "a run folder of this user's",
            "Correct its permissions, or resume as the user who began the run.",
        ) from error
    if not tightened:
        return []
    return [f"others could read {folder} ({tightened} of its files and folders); that right was taken away"]


def _require_own(place: Path, found: os.stat_result) -> None:
    is_folder = stat.S_ISDIR(found.st_mode)
    if not is_folder and not stat.S_ISREG(found.st_mode):
        raise _untrusted(place, f"a {_kind(found.st_mode)}", "Delete it if you know where it comes from.")
    if found.st_uid != os.geteuid():
        raise _untrusted(place, f"it belongs to user {found.st_uid}", "Resume as the user who began the run.")
    if found.st_mode & OTHERS_WRITE:
        mode = f"mode {stat.S_IMODE(found.st_mode):04o}: group or others can write it"
        raise _untrusted(place, mode, "Others may have changed it. If you know that they have not: `chmod -R go-w` it.")
    if not is_folder and found.st_nlink != 1:
        raise _untrusted(place, f"a file with {found.st_nlink} names", "Put a copy in its place.")


def _untrusted(place: Path, found: str, remedy: str) -> RunFolderError:
    user = os.geteuid()
    return RunFolderError(str(place), found, f"plain files and folders that only user {user} can write", remedy)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "symbolic link",
        stat.S_IFIFO: "named pipe",
        stat.S_IFSOCK: "socket",
        stat.S_IFBLK: "block device",
        stat.S_IFCHR: "character device",
    }
    return kinds.get(stat.S_IFMT(mode), "special file")
