"""Files and folders of a run: for their owner alone, whatever the umask says."""

import os
from io import FileIO
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700


def private_opener(path: str, flags: int) -> int:
    """Open a file with mode 0600; for the `opener` argument of `open` and `FileIO`. Refuses a symlink.

    Raises OSError, for a file of another owner too.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        os.fchmod(descriptor, FILE_MODE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600, over what it holds. Raises OSError."""
    with FileIO(path, "w", opener=private_opener) as file:
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]


def make_private_folder(path: Path, *, parents: bool = False, exist_ok: bool = False) -> None:
    """Make a folder of mode 0700; one that exists gets that mode. Raises OSError."""
    path.mkdir(FOLDER_MODE, parents=parents, exist_ok=exist_ok)
    path.chmod(FOLDER_MODE)
