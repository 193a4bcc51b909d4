"""The user's private folder for state that outlives runs, and the secret files in it.

Tests: tests/desk/runs/test_state_key.py
"""

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from desk.config import Settings
from desk.files.private import make_private_folder, write_private
from desk.model.errors import RunFolderError

MAX_SECRET_BYTES: Final = 4096


def state_folder(settings: Settings) -> Path:
    """The user's private folder for state that outlives runs. Raises OSError if there is no home folder."""
    if settings.state_dir is not None:
        return settings.state_dir.absolute()
    base = settings.xdg_state_home
    # The XDG Base Directory Specification: a path that is not absolute is ignored.
    if base is None or not base.is_absolute():
        try:
            base = Path("~/.local/state").expanduser()
        except RuntimeError as error:
            raise FileNotFoundError(errno.ENOENT, "no home folder", "~") from error
    return base / "raydesk"


def create_secret(path: Path, content: bytes) -> None:
    """Create a secret file of mode 0600 if it does not exist, atomically: another desk may start at the same time.

    Raises OSError, and RunFolderError for a folder in which others can write.
    """
    if os.path.lexists(path):
        return
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        make_private_folder(path.parent)
    require_private_folder(path.parent)
    beside = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        write_private(beside, content)
        with suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def read_secret(path: Path, remedy: str) -> bytes:
    """The content of a secret file, without white space around it; empty for anything but a regular file.

    Raises OSError, and RunFolderError if others can read or write the file, or write in its folder.
    """
    require_private_folder(path.parent)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        content = os.read(descriptor, MAX_SECRET_BYTES).strip() if stat.S_ISREG(found.st_mode) else b""
    finally:
        os.close(descriptor)
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise RunFolderError(
            str(path),
            f"owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}",
            f"a file of user {os.geteuid()}, mode 0600",
            remedy,
        )
    return content


def require_private_folder(folder: Path) -> None:
    """Raise RunFolderError for a folder in which others can write; remove others' right to read it."""
    found = folder.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise RunFolderError(
            str(folder),
            f"owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}",
            f"a folder of user {os.geteuid()} in which others cannot write",
            "`chmod 700` it after a look into it, or name another in RAYDESK_STATE_DIR.",
        )
    if found.st_mode & 0o077:
        folder.chmod(0o700)
