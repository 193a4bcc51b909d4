"""`python -m console.cluster_files TARGET`: the files of this project that `ray up cluster.yaml` sends to every node.

Ray calls rsync, which can only exclude files by name. An allow-list is safer: the allowed files are copied to a folder
first.

Tests: tests/test_travelling.py
"""

import shutil
import sys
from pathlib import Path
from typing import Final

from actors.jobs.confidential import is_named_like_a_secret
from actors.jobs.working_copy import WorkingCopy
from console.submission.job_package import PROJECT
from desk.config import load_settings
from desk.config.redaction import known_secrets
from desk.model.errors import PlanError

FILES: Final = (
    "README.md",
    "cluster-head-requirements.txt",
    "cluster-requirements.txt",
    "constraints.txt",
    "pyproject.toml",
)
MARK: Final = ".gathered"
"""This file marks a folder that this program made: it may be deleted and made again."""


def gather(project: Path, target: Path) -> WorkingCopy:
    """Copy the packages, the plans of configs/ and the requirements to `target`, which is deleted and made again.

    Raises PlanError for files that must not be sent, and for a target that this program did not make.
    """
    copy = WorkingCopy(project, known_secrets(load_settings()))
    for name in PROJECT:
        copy.add_package(name)
    for plan in sorted((project / "configs").glob("*.toml")):
        if not is_named_like_a_secret(plan.relative_to(project)):
            copy.add(plan)
    for name in FILES:
        copy.add(project / name)
    copy.require_small()
    if target.exists() and not (target / MARK).exists():
        raise PlanError(
            str(target), "it exists, and was not gathered by this program", "a new folder", "Name another folder."
        )
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(mode=0o700, parents=True)
    (target / MARK).touch()
    copy.copy_to(target)
    return copy


if __name__ == "__main__":
    gathered = gather(Path.cwd(), Path(sys.argv[1]))
    sys.stdout.write(f"{len(gathered.bytes_by_file)} files in {sys.argv[1]}\n")
