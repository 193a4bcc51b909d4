"""Where a tape's files are: on this machine, or in a store that a URL names."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from pyarrow.fs import FileSelector, FileType

from desk import storage
from desk.config.urls import is_url
from desk.model.errors import TapeError
from desk.storage import Stored

SIGNS: Final = "*?["


class TapeFile(NamedTuple):
    """One file: `place` tells it to people; `filesystem` is None for a path on this machine."""

    place: str
    path: str
    size_bytes: int
    filesystem: Any = None

    @property
    def name(self) -> str:
        """The file's name without folders."""
        return self.path.rpartition("/")[2]


def tape_files(place: str) -> list[TapeFile]:
    """The files of a tape: the path or URL itself, a folder's *.parquet or what a glob matches, in name order.

    Raises TapeError when there is none, and what desk.storage raises.
    """
    return _in_store(place) if is_url(place) else [_local(path) for path in _paths(Path(place))]


def _local(path: Path) -> TapeFile:
    return TapeFile(str(path), str(path), path.stat().st_size)


def _paths(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if path.is_dir():
        files = sorted(path.glob("*.parquet"))
        if not files:
            raise _empty_folder(str(path))
        return files
    if _is_glob(str(path)):
        root = Path(path.anchor)
        files = sorted(file for file in root.glob(str(path.relative_to(path.anchor))) if file.is_file())
        if not files:
            raise _no_match(str(path))
        return files
    raise _absent(str(path), "path")


def _in_store(url: str) -> list[TapeFile]:
    plain, asked, options = url.partition("?")
    named, *patterns = _split_at_glob(plain)
    place = storage.stored(named + asked + options, TapeError)
    with storage.told(place.url, TapeError):
        if patterns:
            files = _matching(place, patterns)
        else:
            info = place.filesystem.get_file_info(place.path)
            if info.type == FileType.NotFound:
                raise _absent(place.url, "URL")
            if info.type == FileType.File:
                return [TapeFile(place.url, info.path, info.size, place.filesystem)]
            files = _matching(place, ["*.parquet"])
    if not files:
        raise _no_match(plain) if patterns else _empty_folder(place.url)
    return files


def _split_at_glob(url: str) -> list[str]:
    """The URL of the folder above the first pattern, and the patterns, one for each part of the path below it."""
    scheme, _, rest = url.partition("://")
    host, *parts = rest.split("/")
    at = next((index for index, part in enumerate(parts) if _is_glob(part)), len(parts))
    return ["/".join([f"{scheme}://{host}", *parts[:at]]), *map(unquote, parts[at:])]


def _matching(folder: Stored, patterns: list[str]) -> list[TapeFile]:
    """The files below a folder whose parts match the patterns, in name order."""
    pattern, *below = patterns
    wanted = FileType.Directory if below else FileType.File
    found = folder.filesystem.get_file_info(FileSelector(folder.path, allow_not_found=True))
    entries = sorted(
        (info for info in found if info.type == wanted and fnmatchcase(info.base_name, pattern)),
        key=lambda info: info.base_name,
    )
    if below:
        return [file for info in entries for file in _matching(folder / info.base_name, below)]
    return [TapeFile((folder / info.base_name).url, info.path, info.size, folder.filesystem) for info in entries]


def _is_glob(text: str) -> bool:
    return any(sign in text for sign in SIGNS)


def _empty_folder(place: str) -> TapeError:
    return TapeError(place, "a folder without a Parquet file", "files named *.parquet")


def _no_match(place: str) -> TapeError:
    return TapeError(place, "no file matches", "a pattern of Parquet files", "Correct the pattern.")


def _absent(place: str, what: str) -> TapeError:
    return TapeError(place, "does not exist", "a Parquet file, a folder of them or a pattern", f"Correct the {what}.")
