"""A job's working directory for a cluster: the named files, and no others."""

import os
import shutil
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from actors.jobs.confidential import is_named_like_a_secret, secret_in
from actors.ray_internals.names import job_excludes
from desk.model.errors import PlanError

MIB: Final = 1024 * 1024
MOST_BYTES: Final = 50 * MIB
"""Code and configuration are far smaller; Ray itself refuses packages above 512 MiB, after the upload."""
NAMED: Final = 3
IGNORE_FILES: Final = frozenset({".gitignore", ".rayignore"})
"""Files that Ray would apply to the copy; they are left out."""


class WorkingCopy:
    """Files below `folder`, added one by one, and copied to a private folder for Ray to pack.

    `bytes_by_file` has their sizes by path below the folder. `secrets` are values that no file may contain, by name.
    `left` are data files of packages that are not copied. The methods that add files raise PlanError for links out of
    the folder, unreadable files, and files with secrets.
    """

    def __init__(self, folder: Path, secrets: Mapping[str, str] | None = None) -> None:
        self.folder = folder.resolve()
        self.bytes_by_file: dict[Path, int] = {}
        self.left: list[Path] = []
        self._secrets = secrets or {}
        self._ray_excludes = job_excludes(self.folder)

    def __contains__(self, path: Path) -> bool:
        """Whether the copy has the file, or a file of the folder, at this absolute path."""
        if not path.is_relative_to(self.folder):
            return False
        below = path.relative_to(self.folder)
        return below in self.bytes_by_file or any(below in file.parents for file in self.bytes_by_file)

    @property
    def size(self) -> int:
        """The uncompressed size of all files together, in bytes."""
        return sum(self.bytes_by_file.values())

    def entries(self) -> list[tuple[str, int, int]]:
        """The top-level names of the copy, each with its number of files and their bytes."""
        files: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for file, size in self.bytes_by_file.items():
            name = file.parts[0] + ("/" if len(file.parts) > 1 else "")
            files[name] += 1
            sizes[name] += size
        return [(name, files[name], sizes[name]) for name in sorted(files)]

    def add(self, path: Path, *, any_name: bool = False, any_content: bool = False) -> None:
        """Add one file.

        `any_name` and `any_content` allow a name or content like a secret's, for a file that the user named.
        """
        below = self._below(path)
        if below in self.bytes_by_file or below.name in IGNORE_FILES:
            return
        if self._ray_excludes(self.folder / below):
            raise self._refused(below, "Ray excludes files of this name", "another name", "Rename it.")
        size, content = self._read(below)
        what = "" if any_content else secret_in(content, self._secrets)
        if not any_name and is_named_like_a_secret(below):
            what = "it is named like a secret"
        if what:
            raise self._refused(
                below,
                f"{what}, and would be uploaded to the cluster",
                "files without secrets: all users of the cluster can read a job's package",
                f"Move it away, or name it: --include {below}.",
            )
        self.bytes_by_file[below] = size

    def add_package(self, name: str) -> None:
        """Add the Python files of a top-level package, except hidden ones and those named like secrets."""
        for file in self._walk(self.folder / name):
            if file.suffix == ".py" and not is_named_like_a_secret(file.relative_to(self.folder)):
                self.add(file)
            elif file.suffix not in {".pyc", ".pyi"} and file.name not in IGNORE_FILES:
                self.left.append(file.relative_to(self.folder))

    def include(self, written: str) -> None:
        """Add a file that the user named, or the files of a folder."""
        path = Path(os.path.normpath(self.folder / written))
        if not os.path.exists(path):  # noqa: PTH110 - `Path.exists` raises for a path that is too long
            raise PlanError("--include", f"`{written}`: no such file or folder", "one below this folder", "Correct it.")
        if not path.is_dir():
            self.add(path, any_name=True, any_content=True)
            return
        self._below(path)
        for file in self._walk(path):
            self.add(file)

    def require_small(self) -> None:
        """Raise PlanError, naming the largest entries, for a copy above MOST_BYTES."""
        if self.size > MOST_BYTES:
            biggest = sorted(self.entries(), key=lambda entry: -entry[2])[:NAMED]
            named = ", ".join(f"{name} {_megabytes(size)}" for name, _, size in biggest)
            raise PlanError(
                str(self.folder),
                f"{len(self.bytes_by_file):,} files of {_megabytes(self.size)} would be uploaded: {named}",
                f"at most {_megabytes(MOST_BYTES)}: code, plans and little more",
                "Include less, and keep tapes in storage that the cluster can read.",
            )

    @contextmanager
    def copied(self) -> Iterator[Path]:
        """Copy the files to a temporary folder that only this user can read."""
        with TemporaryDirectory(prefix="raydesk-job-") as made:
            self.copy_to(Path(made))
            yield Path(made)

    def copy_to(self, target: Path) -> None:
        """Copy the files below `target`."""
        for below in self.bytes_by_file:
            (target / below).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.folder / below, target / below)

    def _walk(self, folder: Path) -> Iterator[Path]:
        """Yield the files below a folder in name order, without those that Ray excludes and virtual environments."""
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            raise self._unreadable(folder.relative_to(self.folder), error) from error
        for entry in entries:
            if self._ray_excludes(entry) or (entry / "pyvenv.cfg").exists():
                continue
            if entry.is_dir():
                self._below(entry)
                if not entry.parent.resolve().is_relative_to(entry.resolve()):  # a link to a parent folder
                    yield from self._walk(entry)
            else:
                yield entry

    def _below(self, path: Path) -> Path:
        """Return the path below the folder. Raises PlanError if it, or its link target, is outside."""
        place = Path(os.path.normpath(self.folder / path))
        if not place.is_relative_to(self.folder):
            raise PlanError(
                str(path),
                f"it is outside {self.folder}, which is uploaded to the cluster",
                "a file below the working directory",
                "Change to the project's folder, or copy it there.",
            )
        below = place.relative_to(self.folder)
        leads_to = place.resolve()
        if not leads_to.is_relative_to(self.folder):
            raise self._refused(
                below,
                f"it is a link out of the project, to {leads_to}",
                "files of the project",
                "Copy what it links to.",
            )
        return below

    def _read(self, below: Path) -> tuple[int, bytes]:
        """Return size and content of a file; no content if it is too large for a copy."""
        try:
            found = (self.folder / below).stat()
            if not stat.S_ISREG(found.st_mode):
                raise self._refused(below, "it is no regular file", "files and folders", "Move it away.")
            return found.st_size, b"" if found.st_size >= MOST_BYTES else (self.folder / below).read_bytes()
        except OSError as error:
            raise self._unreadable(below, error) from error

    def _unreadable(self, below: Path, error: OSError) -> PlanError:
        found = f"it cannot be read, and would be uploaded to the cluster: {error.strerror}"
        return self._refused(below, found, "files that can be read", "Correct permissions, or move it away.")

    def _refused(self, below: Path, found: str, expected: str, remedy: str) -> PlanError:
        return PlanError(str(self.folder / below), found, expected, remedy)


def _megabytes(size: int) -> str:
    return f"{size / MIB:,.1f} MiB"
