"""Files and folders of a run: private to their owner, independent of the umask.

Tests: tests/desk/inprocess/test_resume_judged.py
"""

import errno
import os
import stat
from io import FileIO
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700


def private_opener(path: str, flags: int) -> int:
    """Open a file with mode 0600; for the `opener` argument of `open` and `FileIO`. Refuses a symlink.

    Raises OSError, also for a file of another owner.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        os.fchmod(descriptor, FILE_MODE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600, replacing its content. Raises OSError."""
    with FileIO(path, "w", opener=private_opener) as file:
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]


def make_private_folder(path: Path, *, parents: bool = False, exist_ok: bool = False) -> None:
    """Make a folder of mode 0700; one that exists gets that mode. Raises OSError."""
    path.mkdir(FOLDER_MODE, parents=parents, exist_ok=exist_ok)
    path.chmod(FOLDER_MODE)


def read_regular(path: Path) -> bytes:
    """The content of a regular file. Raises OSError, for a pipe or a device too: they may never end."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        return file.read()
