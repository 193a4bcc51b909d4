"""Installed distributions: finds the distribution of a module, and those that raydesk does not require.

Tests: tests/console/test_job_package.py
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

DESK: Final = "raydesk"


def distribution_of(top: str) -> str:
    """The distribution that provides this top-level module, other than raydesk; "" for none."""
    return next((name for name in _distributions().get(top, ()) if canonicalize_name(name) != DESK), "")


def undeclared_distributions(tops: Iterable[str], folder: Path) -> list[str]:
    """The distributions of these top-level modules that neither raydesk nor the folder's own project requires.

    A distribution that another of them requires is left out.
    """
    if not _is_installed_distribution(DESK):
        return []
    required = _with_requirements([DESK, *_declared_dependencies(folder / "pyproject.toml")])
    wanted = {canonicalize_name(distribution_of(top) or top) for top in tops} - required
    return sorted(name for name in wanted if not any(name in _with_requirements([other]) for other in wanted - {name}))


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


def _is_installed_distribution(name: str) -> bool:
    try:
        requires(name)
    except PackageNotFoundError:
        return False
    return True


def _declared_dependencies(pyproject: Path) -> list[str]:
    """The names of a project's dependencies; none if its file is missing or unreadable."""
    try:
        project = tomllib.loads(pyproject.read_text("utf-8")).get("project", {})
    except (OSError, ValueError):
        return []
    found = [re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", str(text)) for text in project.get("dependencies", ())]
    return [match[0] for match in found if match]


def _with_requirements(names: Iterable[str]) -> set[str]:
    """These distributions and all that they require, if they are installed."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key not in seen:
            seen.add(key)
            found.add(key[0])
            waiting += _requirements(*key)
    return found


def _requirements(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    try:
        texts = requires(name) or []
    except PackageNotFoundError:
        return
    for text in texts:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in extras or {""}):
            yield wanted
