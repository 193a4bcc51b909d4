"""Finds the source files of a plan's classes: their modules, and all modules of the project that these import.

Imports are read from the source, so imports in functions are included. Modules of Python, of installed packages and of
the desk are left out: their versions are compared instead.
"""

import hashlib
import importlib.util
import os
import sysconfig
from collections.abc import Iterable
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Final

from desk.loading.import_statements import imported_names, parent_packages

THE_DESK: Final = frozenset({"desk", "actors", "console"})
SHOWN_DIGITS: Final = 16
_LIBRARIES: Final = tuple(
    Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def source_fingerprints(uses: Iterable[str]) -> dict[str, str]:
    """The shortened SHA-256 of each module's file, for the classes in `uses` ("package.module:Class").

    A missing module is left out: loading it raises its own error.
    """
    modules = project_modules(use.partition(":")[0] for use in uses)
    return {name: _fingerprint(path) for name, path in sorted(modules.items())}


def project_modules(names: Iterable[str]) -> dict[str, Path]:
    """The files of these modules, of their packages, and of all project modules that they import, by module name."""
    found: dict[str, Path] = {}
    seen: set[str] = set()
    waiting = list(names)
    named = frozenset(waiting)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        waiting += parent_packages(name)
        spec = _spec(name)
        if spec is None or (path := _file(spec)) is None or (name not in named and _is_installed(path)):
            continue
        found[name] = path
        if path.suffix == ".py":
            waiting += imported_names(path, _package(spec))
    return found


def _fingerprint(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:SHOWN_DIGITS]
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _spec(name: str) -> ModuleSpec | None:
    """The module's spec, found without importing its packages."""
    parent, _, _ = name.rpartition(".")
    try:
        if not parent:
            return None if name in THE_DESK else importlib.util.find_spec(name)
        above = _spec(parent)
        if above is None or above.submodule_search_locations is None:
            return None
        return PathFinder.find_spec(name, above.submodule_search_locations)
    except (ImportError, ValueError, AttributeError):
        return None


def _file(spec: ModuleSpec) -> Path | None:
    if not spec.has_location or spec.origin is None:
        return None
    path = Path(spec.origin).resolve()
    return path if os.path.isfile(path) else None  # noqa: PTH113 - False for a file that this user may not see


def _is_installed(path: Path) -> bool:
    """Whether the file belongs to Python or to an installed package."""
    return any(path.is_relative_to(library) for library in _LIBRARIES)


def _package(spec: ModuleSpec) -> str:
    return spec.name if spec.submodule_search_locations is not None else spec.name.rpartition(".")[0]
