"""Finds the files of a tape, on this machine or in the store of a URL.

Tests: tests/desk/tape/test_tape_names.py
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from pyarrow.fs import FileSelector, FileType

from desk.config.plan_urls import is_url
from desk.files import storage
from desk.files.storage import StoragePath
from desk.model.errors import TapeError

SIGNS: Final = "*?["
HIDDEN: Final = (".", "_")
NAMED: Final = 3


class TapeFile(NamedTuple):
    """One file: `place` names it in messages; `filesystem` is None for a path on this machine."""

    place: str
    path: str
    size_bytes: int
    filesystem: Any = None

    @property
    def name(self) -> str:
        """The file's name without folders."""
        return self.path.rpartition("/")[2]


class TapeFiles(NamedTuple):
    """A tape's files in name order, and the places of Parquet files beside them that do not belong to it."""

    files: list[TapeFile]
    left_out: list[str]


def find_files(place: str) -> TapeFiles:
    """The files of a tape: the path or URL itself, a folder's *.parquet, or the matches of a glob, in name order.

    Names that begin with "." or "_" are left out of a folder, and of a glob unless its own pattern begins so: operating
    systems and unfinished writers use such names. Raises TapeError when there is no file, and the errors of
    desk.files.storage.
    """
    found = _in_store(place) if is_url(place) else _on_disk(Path(place))
    if found.files:
        return found
    plain = place.partition("?")[0] if is_url(place) else place
    if found.left_out:
        raise TapeError(
            plain,
            f"no Parquet file but {describe_left_out(found.left_out)}",
            "files named *.parquet whose names do not begin so",
            "Rename them, or name one of them by its whole path.",
        )
    raise _no_match(plain) if _is_glob(plain) else _empty_folder(plain)


def describe_left_out(places: list[str]) -> str:
    """The names left out of a folder or glob, in words."""
    names = ", ".join(place.rpartition("/")[2] for place in places[:NAMED])
    more = f" and {len(places) - NAMED} more" if len(places) > NAMED else ""
    return f'{names}{more}, whose {"name begins" if len(places) == 1 else "names begin"} with "." or "_"'


def _on_disk(path: Path) -> TapeFiles:
    if path.is_file():
        return TapeFiles([_local(path)], [])
    if path.is_dir():
        return _sorted_out(sorted(path.glob("*.parquet")), len(path.parts), ("*.parquet",))
    if _is_glob(str(path)):
        pattern = path.relative_to(path.anchor)
        return _sorted_out(sorted(Path(path.anchor).glob(str(pattern))), bool(path.anchor), pattern.parts)
    raise _absent(str(path), "path")


def _local(path: Path) -> TapeFile:
    # Absolute: pyarrow takes a relative path such as "file:day.parquet" for a URL.
    return TapeFile(str(path), str(path.absolute()), path.stat().st_size)


def _sorted_out(paths: list[Path], above: int, patterns: Sequence[str]) -> TapeFiles:
    """The files among the matches of the patterns; `above` parts of each path precede the patterns."""
    found = TapeFiles([], [])
    for path in paths:
        if _is_left_out(path.parts[above:], patterns):
            found.left_out.append(str(path))
        elif path.is_file():
            found.files.append(_local(path))
    return found


def _is_left_out(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether a part of a path begins with "." or "_" without its pattern beginning so; "**" stands for any parts."""
    if "**" not in patterns:
        return any(_is_hidden(part, pattern) for part, pattern in zip(parts, patterns, strict=False))
    before, after = patterns.index("**"), list(reversed(patterns)).index("**")
    matched = len(parts) - after
    return (
        _is_left_out(parts[:before], patterns[:before])
        or any(_is_hidden(part, part if part in patterns else "**") for part in parts[before:matched])
        or _is_left_out(parts[matched:], patterns[len(patterns) - after :])
    )


def _is_hidden(name: str, pattern: str) -> bool:
    return name.startswith(HIDDEN) and not pattern.startswith(name[0])


def _in_store(url: str) -> TapeFiles:
    plain, asked, options = url.partition("?")
    named, *patterns = _split_at_glob(plain)
    place = storage.storage_path(named + asked + options, TapeError)
    with storage.translate_storage_errors(place.url, TapeError):
        if patterns:
            return _matching(place, patterns)
        info = place.filesystem.get_file_info(place.path)
        if info.type == FileType.NotFound:
            raise _absent(place.url, "URL")
        if info.type == FileType.File:
            return TapeFiles([TapeFile(place.url, info.path, info.size, place.filesystem)], [])
        return _matching(place, ["*.parquet"])


def _split_at_glob(url: str) -> list[str]:
    """The URL of the folder above the first pattern, and the patterns, one for each part of the path below it."""
    scheme, _, rest = url.partition("://")
    host, *parts = rest.split("/")
    at = next((index for index, part in enumerate(parts) if _is_glob(part)), len(parts))
    return ["/".join([f"{scheme}://{host}", *parts[:at]]), *map(unquote, parts[at:])]


def _matching(folder: StoragePath, patterns: list[str]) -> TapeFiles:
    """The files below a folder whose parts match the patterns, in name order."""
    pattern, *below = patterns
    wanted = FileType.Directory if below else FileType.File
    found = TapeFiles([], [])
    infos = folder.filesystem.get_file_info(FileSelector(folder.path, allow_not_found=True))
    for info in sorted(infos, key=lambda info: info.base_name):
        if info.type != wanted or not fnmatchcase(info.base_name, pattern):
            continue
        place = folder / info.base_name
        if _is_hidden(info.base_name, pattern):
            found.left_out.append(place.url)
        elif below:
            inner = _matching(place, below)
            found.files.extend(inner.files)
            found.left_out.extend(inner.left_out)
        else:
            found.files.append(TapeFile(place.url, info.path, info.size, folder.filesystem))
    return found


def _is_glob(text: str) -> bool:
    return any(sign in text for sign in SIGNS)


def _empty_folder(place: str) -> TapeError:
    return TapeError(place, "a folder without a Parquet file", "files named *.parquet")


def _no_match(place: str) -> TapeError:
    return TapeError(place, "no file matches", "a pattern of Parquet files", "Correct the pattern.")


def _absent(place: str, what: str) -> TapeError:
    return TapeError(place, "does not exist", "a Parquet file, a folder of them or a pattern", f"Correct the {what}.")
