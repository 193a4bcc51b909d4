"""The user's key, which authenticates the files of runs for a resume. It is stored outside all run folders."""

import errno
import hmac
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from desk.config import Settings, load_settings
from desk.files.private import make_private_folder, write_private
from desk.files.sealing import Seal
from desk.model.errors import PlanError, RunFolderError

FILE: Final = "state_key"
VARIABLE: Final = "RAYDESK_STATE_KEY"
KEY_BYTES: Final = 32
LEAST_LETTERS: Final = 32
REMEDY: Final = (
    f"Resume as the user and on the machine that began the run, or set {VARIABLE} to the key with which it began; "
    "else run the plan anew in another folder."
)


class StateKey(NamedTuple):
    """The key; `note` says why its runs cannot be resumed, "" if they can."""

    secret: bytes
    note: str = ""

    def __repr__(self) -> str:
        return "StateKey(…)"

    @property
    def name(self) -> str:
        """A name that identifies the key and does not reveal it."""
        return hmac.digest(self.secret, b"name", "sha256").hex()[:16]

    def seal(self, run: str) -> Seal:
        """The seal of one run."""
        return Seal(hmac.digest(self.secret, b"run:" + run.encode(), "sha256"))


def find_state_key() -> StateKey:
    """Read this user's key. Raises RunFolderError if there is none, or others can read or write it."""
    settings = load_settings()
    if settings.state_key is not None:
        return _from_environment(settings.state_key.get_secret_value())
    try:
        path = state_folder(settings) / FILE
        return StateKey(_read(path))
    except OSError as error:
        raise RunFolderError(
            str(error.filename or FILE),
            f"no state key can be read here ({error.strerror}), and there is no {VARIABLE}",
            "the key with which the run began",
            REMEDY,
        ) from error


def make_state_key() -> StateKey:
    """Read this user's key, or create it; if it cannot be stored, use a key for this process alone.

    Raises RunFolderError for a key that others can read or write, PlanError for one in the environment that is too
    short.
    """
    settings = load_settings()
    if settings.state_key is None:
        try:
            path = state_folder(settings) / FILE
            if not os.path.lexists(path):
                _create(path)
        except OSError as error:
            why = f"this run cannot be resumed: no state key can be kept ({error.strerror}: {error.filename})"
            return StateKey(secrets.token_bytes(KEY_BYTES), f"{why}. Set {VARIABLE} or RAYDESK_STATE_DIR.")
    return find_state_key()


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


def _from_environment(text: str) -> StateKey:
    if len(text.strip()) < LEAST_LETTERS:
        raise PlanError(
            f"environment, {VARIABLE}",
            f"a key of {len(text.strip())} characters",
            f"at least {LEAST_LETTERS} random characters",
            "Make one with `openssl rand -hex 32`.",
        )
    return StateKey(text.strip().encode())


def _create(path: Path) -> None:
    """Create the key file atomically, since another desk may start at the same time. Raises OSError."""
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        make_private_folder(path.parent)
    _require_own_folder(path.parent)
    beside = path.with_name(f"{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        write_private(beside, secrets.token_bytes(KEY_BYTES).hex().encode() + b"\n")
        with suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    _require_own_folder(path.parent)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        content = os.read(descriptor, 4096).strip() if stat.S_ISREG(found.st_mode) else b""
    finally:
        os.close(descriptor)
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise RunFolderError(
            str(path),
            f"owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}",
            f"a file of user {os.geteuid()}, mode 0600",
            "Others may know this key: delete it. The next run makes another; runs begun with this one cannot be "
            "resumed.",
        )
    try:
        secret = bytes.fromhex(content.decode())
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise RunFolderError(
            str(path),
            "it holds no state key",
            f"{2 * KEY_BYTES} hexadecimal digits",
            "Put the key back, or delete what stands there: the next run makes another.",
        )
    return secret


def _require_own_folder(folder: Path) -> None:
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
