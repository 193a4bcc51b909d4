"""What a plan's classes import: files of the project, code that lies elsewhere, installed packages.

Found in two ways, for each misses some: by reading the import statements, and by what loading really imported.

Tests: tests/console/test_job_package.py
"""

import ast
import importlib.machinery
import importlib.util
import re
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from desk.loading.distributions import distribution_of

OWN: Final = ("actors", "console", "desk")
SHIPPED: Final = re.compile(r"strategies(\.(template|examples|scanners)(\..+)?)?")
"""Of `strategies` what every installed raydesk has."""

_SUFFIXES: Final = tuple(importlib.machinery.all_suffixes())


@dataclass
class Imports:
    """Files below the project's folder; files outside it by module; installed packages by their top-level name."""

    files: set[Path] = field(default_factory=set)
    outside: dict[str, Path] = field(default_factory=dict)
    installed: set[str] = field(default_factory=set)


class ImportTracker:
    """What this process has imported so far, to tell afterwards what loading a plan's classes imported."""

    def __init__(self) -> None:
        self.modules = frozenset(sys.modules)
        self.path = frozenset(str(Path(entry).resolve()) for entry in sys.path)

    def fresh(self) -> list[str]:
        """The modules imported since."""
        return [name for name in list(sys.modules) if name not in self.modules]


def find_imports(folder: Path, modules: Iterable[str], before: ImportTracker) -> Imports:
    """What these modules import, directly or not, and what was imported since `before`.

    `folder` is the project's: what a job finds there by its name belongs to the project.
    """
    return _Search(folder, before).run([*modules, *before.fresh()])


class _Search:
    def __init__(self, folder: Path, before: ImportTracker) -> None:
        self._folder = folder
        self._before = before
        self._seen: set[str] = set()
        self._found = Imports()

    def run(self, names: list[str]) -> Imports:
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in self._seen:
                continue
            self._seen.add(name)
            waiting += self._look(name)
        return self._found

    def _look(self, name: str) -> Iterator[str]:
        """Put a module where it belongs; the names that it imports, where it is the project's."""
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top == "__main__":
            return
        file = _in_folder(self._folder, name)
        if file is None and (loaded := _file_of(sys.modules.get(name))) is not None:
            file = self._placed_by_code(name, loaded)
        if file is not None:
            self._found.files.add(file)
            yield from _parents(name)
            yield from _imported(file, name)
        elif not _in_folder(self._folder, top) and not _is_own(name):
            self._foreign(name, top)

    def _placed_by_code(self, name: str, file: Path) -> Path | None:
        """A file of the folder that is not found there by its name, but by a search path that the code itself set."""
        depth = name.count(".") + (file.stem == "__init__")
        root = file.parents[min(depth, len(file.parents) - 1)]
        if file.is_relative_to(self._folder) and not _is_installed(file) and str(root) not in self._before.path:
            return file
        return None

    def _foreign(self, name: str, top: str) -> None:
        if top in self._found.installed:
            return
        loaded = _file_of(sys.modules.get(name))
        place = loaded or _place(top)
        if place is None or _is_standard(place):
            return
        if _is_installed(place) or distribution_of(top):
            self._found.installed.add(top)
        elif place.is_file():  # a folder without a file of its own has no code
            self._found.outside[name if loaded else top] = place


def _in_folder(folder: Path, name: str) -> Path | None:
    """The file that a process started in the folder imports by this name."""
    base = folder.joinpath(*name.split("."))
    for suffix in _SUFFIXES:
        for file in (base / f"__init__{suffix}", base.with_name(base.name + suffix)):
            if file.is_file():
                return file
    return None


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _imported(file: Path, name: str) -> Iterator[str]:
    """The modules that a source file's import statements name, wherever they stand in it."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return  # compiled, or no source that Python takes
    package = name if file.stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def _file_of(module: ModuleType | None) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) else None


def _place(top: str) -> Path | None:
    """Where a top-level module is found, without importing it."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.has_location and spec.origin:
        return Path(spec.origin).resolve()
    return next((Path(place).resolve() for place in spec.submodule_search_locations or ()), None)


def _is_own(name: str) -> bool:
    return name.partition(".")[0] in OWN or SHIPPED.fullmatch(name) is not None


def _is_installed(place: Path) -> bool:
    return any(place.is_relative_to(folder) for folder in _site_folders())


def _is_standard(place: Path) -> bool:
    return not _is_installed(place) and any(place.is_relative_to(folder) for folder in _standard_folders())


@cache
def _site_folders() -> frozenset[Path]:
    named = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), site.getusersitepackages())
    return frozenset(Path(folder).resolve() for folder in (*named, *site.getsitepackages()))


@cache
def _standard_folders() -> frozenset[Path]:
    return frozenset(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib"))
