"""What of a folder goes to the cluster as a job's working directory."""

import logging
import os
from collections import Counter
from pathlib import Path
from typing import Final

from ray._private.ray_constants import RAY_RUNTIME_ENV_IGNORE_GITIGNORE, get_runtime_env_default_excludes
from ray._private.runtime_env.packaging import _dir_travel, _get_excludes

from desk.model.errors import PlanError

MIB: Final = 1024 * 1024
MOST_BYTES: Final = 50 * MIB
"""Code and configuration are far smaller; Ray itself refuses packages above 512 MiB, after the upload."""
NAMED: Final = 3


class WorkingCopy:
    """The files below `folder` that Ray takes along: all but those of .gitignore, .rayignore and its own list.

    `bytes_by_file` has them by their path below the folder. Raises PlanError for a folder that cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bytes_by_file: dict[Path, int] = {}
        excludes = [_get_excludes(folder, get_runtime_env_default_excludes())]
        honour_gitignore = os.environ.get(RAY_RUNTIME_ENV_IGNORE_GITIGNORE) != "1"
        try:
            _dir_travel(folder, excludes, self._note, honour_gitignore, logger=logging.getLogger(__name__))
        except OSError as error:
            raise PlanError(
                str(error.filename or folder),
                f"it cannot be read, and would go to the cluster: {error.strerror}",
                "files that can be read, or that stay here",
                "Correct permissions, or name it in .rayignore.",
            ) from error

    def __contains__(self, path: Path) -> bool:
        """Whether the file, or a file of the folder, at this absolute path goes along."""
        if not path.is_relative_to(self.folder):
            return False
        below = path.relative_to(self.folder)
        return below in self.bytes_by_file or any(below in file.parents for file in self.bytes_by_file)

    @property
    def bytes(self) -> int:
        """Of all files together, before they are compressed."""
        return sum(self.bytes_by_file.values())

    def require_small(self) -> None:
        """Raises PlanError, naming what is biggest, for a copy that can hardly be meant."""
        if self.bytes > MOST_BYTES:
            files = f"{len(self.bytes_by_file):,} files of {_megabytes(self.bytes)}"
            raise PlanError(
                str(self.folder),
                f"{files} would go to the cluster: {self._biggest()}",
                f"at most {_megabytes(MOST_BYTES)}: code, plans and little more",
                "Name what shall stay here in .rayignore, and have tapes where the cluster can read them.",
            )

    def _note(self, path: Path) -> None:
        if path.is_file():
            self.bytes_by_file[path.relative_to(self.folder)] = path.stat().st_size

    def _biggest(self) -> str:
        sizes: Counter[str] = Counter()
        for file, size in self.bytes_by_file.items():
            sizes[file.parts[0] + ("/" if len(file.parts) > 1 else "")] += size
        return ", ".join(f"{name} {_megabytes(size)}" for name, size in sizes.most_common(NAMED))


def _megabytes(size: int) -> str:
    return f"{size / MIB:,.1f} MiB"
