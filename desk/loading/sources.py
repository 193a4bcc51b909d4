"""The source files of a plan's classes: their modules, and the project's modules that those import.

Imports are read from the source, so that one within a function counts too. Left out are Python's own modules,
installed packages, and the desk itself, whose versions tell them.
"""

import ast
import hashlib
import importlib.util
import os
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Final

THE_DESK: Final = frozenset({"desk", "actors", "console"})
SHOWN_DIGITS: Final = 16
_LIBRARIES: Final = tuple(
    Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def source_fingerprints(uses: Iterable[str]) -> dict[str, str]:
    """The SHA-256, shortened, of each module's file, for the classes that `uses` ("package.module:Class") name.

    A module that cannot be found is left out: loading it has its own error.
    """
    modules = project_modules(use.partition(":")[0] for use in uses)
    return {name: _fingerprint(path) for name, path in sorted(modules.items())}


def project_modules(names: Iterable[str]) -> dict[str, Path]:
    """The files by module name of these modules, of their packages, and of all project modules that they import."""
    found: dict[str, Path] = {}
    met: set[str] = set()
    waiting = list(names)
    named = frozenset(waiting)
    while waiting:
        name = waiting.pop()
        if name in met:
            continue
        met.add(name)
        waiting += _parents(name)
        spec = _spec(name)
        if spec is None or (path := _file(spec)) is None or (name not in named and _is_installed(path)):
            continue
        found[name] = path
        if path.suffix == ".py":
            waiting += _imported(path, spec)
    return found


def _fingerprint(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:SHOWN_DIGITS]
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _spec(name: str) -> ModuleSpec | None:
    """Where the module is; found without importing anything, its packages neither."""
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
    return path if os.path.isfile(path) else None  # noqa: PTH113 - False where this user cannot look


def _is_installed(path: Path) -> bool:
    """Whether the file belongs to Python or to an installed package."""
    return any(path.is_relative_to(library) for library in _LIBRARIES)


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _imported(path: Path, spec: ModuleSpec) -> Iterator[str]:
    """The names that a module's source imports, and with `from` those that may be modules."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = _base(spec, module or "", level)
                yield base
                yield from (f"{base}.{alias.name}" for alias in names if alias.name != "*")
            case ast.Call(func=ast.Name(id="__import__" | "import_module"), args=[ast.Constant(value=str(name)), *_]):
                yield name
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_]):
                yield name


def _base(spec: ModuleSpec, module: str, level: int) -> str:
    if not level:
        return module
    package = spec.name if spec.submodule_search_locations is not None else spec.name.rpartition(".")[0]
    for _ in range(level - 1):
        package = package.rpartition(".")[0]
    return f"{package}.{module}" if module else package
