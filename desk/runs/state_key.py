"""The user's key, which authenticates the files of runs for a resume. It is stored outside all run folders."""

import hmac
import secrets
from pathlib import Path
from typing import Final, NamedTuple

from desk.config import load_settings
from desk.files.sealing import Seal
from desk.files.state_folder import create_secret, read_secret, state_folder
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
            create_secret(state_folder(settings) / FILE, secrets.token_bytes(KEY_BYTES).hex().encode() + b"\n")
        except OSError as error:
            why = f"this run cannot be resumed: no state key can be kept ({error.strerror}: {error.filename})"
            return StateKey(secrets.token_bytes(KEY_BYTES), f"{why}. Set {VARIABLE} or RAYDESK_STATE_DIR.")
    return find_state_key()


def _from_environment(text: str) -> StateKey:
    if len(text.strip()) < LEAST_LETTERS:
        raise PlanError(
            f"environment, {VARIABLE}",
            f"a key of {len(text.strip())} characters",
            f"at least {LEAST_LETTERS} random characters",
            "Make one with `openssl rand -hex 32`.",
        )
    return StateKey(text.strip().encode())


def _read(path: Path) -> bytes:
    content = read_secret(
        path,
        "Others may know this key: delete it. The next run makes another; runs begun with this one cannot be resumed.",
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
