"""Installed distributions: which of them a module belongs to, and which come with raydesk.

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
    """The distribution that brings this top-level module; "" for none. raydesk itself brings no other's modules."""
    return next((name for name in _distributions().get(top, ()) if canonicalize_name(name) != DESK), "")


def undeclared_distributions(tops: Iterable[str], folder: Path) -> list[str]:
    """Of these top-level modules the distributions that come neither with raydesk nor with the folder's own project.

    Those that another of them brings are left out.
    """
    if not _is_known(DESK):
        return []
    brought = _closure([DESK, *_declared(folder / "pyproject.toml")])
    wanted = {canonicalize_name(distribution_of(top) or top) for top in tops} - brought
    return sorted(name for name in wanted if not any(name in _closure([other]) for other in wanted - {name}))


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


def _is_known(name: str) -> bool:
    try:
        requires(name)
    except PackageNotFoundError:
        return False
    return True


def _declared(pyproject: Path) -> list[str]:
    """The names of a project's own dependencies; none where there is no such file, or none that can be read."""
    try:
        project = tomllib.loads(pyproject.read_text("utf-8")).get("project", {})
    except (OSError, ValueError):
        return []
    found = [re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", str(text)) for text in project.get("dependencies", ())]
    return [match[0] for match in found if match]


def _closure(names: Iterable[str]) -> set[str]:
    """These distributions and all that they need, as far as they are installed."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key not in seen:
            seen.add(key)
            found.add(key[0])
            waiting += _needs(*key)
    return found


def _needs(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
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
