"""Finds the imports of a plan's classes: files of the project, files outside it, and installed packages.

It combines the import statements in the source with the modules that loading has imported: each misses some.

Tests: tests/console/test_job_package.py
"""

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
from desk.loading.import_statements import imported_names, parent_packages

OWN: Final = ("actors", "console", "desk")
SHIPPED: Final = re.compile(r"strategies(\.(template|examples|scanners)(\..+)?)?")
"""The parts of `strategies` that belong to raydesk itself."""

_SUFFIXES: Final = tuple(importlib.machinery.all_suffixes())


@dataclass
class Imports:
    """Files in the project's folder, files outside it by module, and top-level names of installed packages."""

    files: set[Path] = field(default_factory=set)
    outside: dict[str, Path] = field(default_factory=dict)
    installed: set[str] = field(default_factory=set)


class ImportTracker:
    """Records the modules that this process has imported, so that later imports can be listed."""

    def __init__(self) -> None:
        self.modules = frozenset(sys.modules)
        self.path = frozenset(str(Path(entry).resolve()) for entry in sys.path)

    def new_modules(self) -> list[str]:
        """The modules that were imported since."""
        return [name for name in list(sys.modules) if name not in self.modules]


def find_imports(folder: Path, modules: Iterable[str], before: ImportTracker) -> Imports:
    """The direct and indirect imports of these modules, and of all modules imported since `before`.

    `folder` is the project's folder: modules that a job can import from there belong to the project.
    """
    return _Search(folder, before).run([*modules, *before.new_modules()])


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
            waiting += self._classify(name)
        return self._found

    def _classify(self, name: str) -> Iterator[str]:
        """Add a module to the result. Yields the names that a module of the project imports."""
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top == "__main__":
            return
        file = _in_folder(self._folder, name)
        if file is None and (loaded := _file_of(sys.modules.get(name))) is not None:
            file = self._file_on_changed_path(name, loaded)
        if file is not None:
            self._found.files.add(file)
            yield from parent_packages(name)
            package = name if file.stem == "__init__" else name.rpartition(".")[0]
            yield from imported_names(file, package)
        elif not _in_folder(self._folder, top) and not _is_own(name):
            self._add_foreign(name, top)

    def _file_on_changed_path(self, name: str, file: Path) -> Path | None:
        """The file, if it is in the folder and was found through a search path that the code itself has added."""
        depth = name.count(".") + (file.stem == "__init__")
        root = file.parents[min(depth, len(file.parents) - 1)]
        if file.is_relative_to(self._folder) and not _is_installed(file) and str(root) not in self._before.path:
            return file
        return None

    def _add_foreign(self, name: str, top: str) -> None:
        if top in self._found.installed:
            return
        loaded = _file_of(sys.modules.get(name))
        place = loaded or _location(top)
        if place is None or _is_standard(place):
            return
        if _is_installed(place) or distribution_of(top):
            self._found.installed.add(top)
        elif place.is_file():  # a folder without __init__ has no code
            self._found.outside[name if loaded else top] = place


def _in_folder(folder: Path, name: str) -> Path | None:
    """The file that a process with this working directory imports for the name."""
    base = folder.joinpath(*name.split("."))
    for suffix in _SUFFIXES:
        for file in (base / f"__init__{suffix}", base.with_name(base.name + suffix)):
            if file.is_file():
                return file
    return None


def _file_of(module: ModuleType | None) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) else None


def _location(top: str) -> Path | None:
    """The location of a top-level module, found without importing it."""
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
