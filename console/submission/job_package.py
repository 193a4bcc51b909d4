"""The files that `desk submit` sends: plan, tape, the desk's own packages, the plan's classes and their imports."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from actors.jobs.working_copy import WorkingCopy
from desk.config import Plan, Settings
from desk.config.redaction import known_secrets
from desk.loading.distributions import undeclared_distributions
from desk.loading.imports import OWN, Imports, ImportTracker, find_imports
from desk.model.errors import StrategyError
from desk.telemetry import formatting

PROJECT: Final = (*OWN, "strategies")
"""The packages of this project. A job from another folder uses the raydesk that is installed on the cluster."""
NAMED: Final = 3


def job_package(
    path: Path, plan: Plan, settings: Settings, includes: Sequence[str], before: ImportTracker
) -> tuple[WorkingCopy, list[str]]:
    """The files to send to the cluster, and notes on those that stay here.

    Call it after the plan's classes were loaded; make `before` earlier. Raises PlanError for files that must not be
    sent, and StrategyError for an import that the job would not find.
    """
    copy = WorkingCopy(Path.cwd(), known_secrets(settings))
    for written in includes:
        copy.include(written)
    copy.add(path, any_name=True)
    imports = find_imports(copy.folder, _modules(plan), before)
    _require_found(path, imports, copy)
    packages = {file.relative_to(copy.folder).parts[0] for file in imports.files}
    if (copy.folder / "actors" / "__main__.py").is_file() and (copy.folder / "desk" / "__init__.py").is_file():
        packages |= set(PROJECT)
    for file in sorted(imports.files):
        copy.add(file)
    for name in sorted(packages):
        if (copy.folder / name / "__init__.py").is_file():
            copy.add_package(name)
    return copy, [*_left(copy), *_not_brought(imports, copy)]


def listing(copy: WorkingCopy) -> list[str]:
    """One line per file or folder at the top of the copy: name, number of files, size."""
    entries = copy.entries()
    width = max(len(name) for name, _, _ in entries)
    return [
        f"  {name:<{width}}  {formatting.some(files, 'file'):>10}  {_size(size):>10}" for name, files, size in entries
    ]


def _modules(plan: Plan) -> list[str]:
    uses = [strategy.use for strategy in plan.strategies] + [scanner.use for scanner in plan.scanners]
    return [use.partition(":")[0] for use in uses]


def _require_found(path: Path, imports: Imports, copy: WorkingCopy) -> None:
    for module, place in sorted(imports.outside.items()):
        raise StrategyError(
            str(path),
            f"its classes import `{module}` from {place}, which stays here: a job finds only modules "
            f"that lie by their name in {copy.folder}",
            "imports of files in this folder, and of packages that are installed on the cluster",
            "Copy it into this folder, or install it as a package, here and on the cluster.",
        )


def _left(copy: WorkingCopy) -> list[str]:
    """One note about the data files in the packages, which are not sent."""
    left = [file for file in copy.left if file not in copy.bytes_by_file]
    if not left:
        return []
    named = ", ".join(map(str, left[:NAMED])) + (", …" if len(left) > NAMED else "")
    return [f"{formatting.some(len(left), 'other file')} in these packages stay here ({named}); --include sends one"]


def _not_brought(imports: Imports, copy: WorkingCopy) -> list[str]:
    return [
        f"the plan's classes need {name}, which does not come with raydesk: it must be installed on the cluster"
        for name in undeclared_distributions(imports.installed, copy.folder)
    ]


def _size(size: int) -> str:
    return f"{size / 1024:,.1f} KiB" if size < 1024 * 1024 else f"{size / 1024 / 1024:,.1f} MiB"
