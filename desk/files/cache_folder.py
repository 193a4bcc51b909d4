"""The user's cache folder, and files in it that are valid for one day.

A file is one line, "raydesk-cache <SHA-256 of the rest>", and the rest: what was fetched, encoded. A damaged file is
fetched again.

Tests: tests/desk/files/test_cache_folder.py
"""

import errno
import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from desk.config import Settings
from desk.files.atomic import replacing
from desk.files.private import make_private_folder, read_regular, write_private
from desk.model.errors import RunFailed

MARK: Final = b"raydesk-cache "
KEPT_FILES: Final = 3
"""Days of one name that are kept: a desk of yesterday's session may still run."""
T = TypeVar("T")


def cache_folder(settings: Settings) -> Path:
    """The user's folder for what can be fetched again. Raises OSError if there is no home folder."""
    if settings.cache_dir is not None:
        return settings.cache_dir.absolute()
    base = settings.xdg_cache_home
    # The XDG Base Directory Specification: a path that is not absolute is ignored.
    if base is None or not base.is_absolute():
        try:
            base = Path("~/.cache").expanduser()
        except RuntimeError as error:
            raise FileNotFoundError(errno.ENOENT, "no home folder", "~") from error
    return base / "raydesk"


class DayCache(Generic[T]):
    """Files `{folder}/{name}-{day}.json` of values of `kind`, one per day.

    `notes` say why a file was not used or not written; the value is fetched then. The folder may be None: nothing is
    cached.
    """

    def __init__(self, folder: Path | None, name: str, kind: type[T]) -> None:
        self.notes: list[str] = []
        self._folder = folder
        self._name = name
        self._decode: Callable[[bytes], T] = msgspec.json.Decoder(kind).decode

    def get(self, day: date, fetch: Callable[[], T]) -> T:
        """The day's value: from its file, else fetched and written. Raises what `fetch` raises."""
        if self._folder is None:
            return fetch()
        path = self._folder / f"{self._name}-{day.isoformat()}.json"
        found = self._read(path)
        if found is None:
            found = fetch()
            self._write(path, found)
        return found

    def _read(self, path: Path) -> T | None:
        try:
            head, _, body = read_regular(path).partition(b"\n")
            if head != _head(body):
                raise ValueError("it is damaged")  # noqa: TRY301 - one place handles all
            return self._decode(body)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            self.notes.append(f"{path} is not used, and fetched again: {error}")
            return None

    def _write(self, path: Path, value: T) -> None:
        body = msgspec.json.encode(value)
        try:
            make_private_folder(path.parent, parents=True, exist_ok=True)
            with replacing(path) as beside:
                write_private(beside, _head(body) + b"\n" + body)
            for old in sorted(path.parent.glob(f"{self._name}-????-??-??.json"))[:-KEPT_FILES]:
                with suppress(FileNotFoundError):
                    old.unlink()
        except (OSError, RunFailed) as error:
            self.notes.append(f"{path} is not cached: {error}")


def _head(body: bytes) -> bytes:
    return MARK + hashlib.sha256(body).hexdigest().encode()
