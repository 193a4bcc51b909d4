# ruff: noqa: INP001 - a folder for PYTHONPATH, not a package
"""Switches the meters off in every process of a desk: Python imports this module where its folder is in PYTHONPATH."""

import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

METHODS = {
    "desk.process.waits.wait_meters": ("WaitMeters", ("follow", "measure")),
    "desk.telemetry.hop_meter": ("HopMeter", ("note", "point", "measure")),
    "actors.metrics.ray_export": ("RayExport", ("export",)),
}
"""The class and its methods, by module, that do nothing then."""


def nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


class Loader(importlib.abc.Loader):
    """Loads a module, and replaces its methods."""

    def __init__(self, real: importlib.abc.Loader) -> None:
        self._real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._real.exec_module(module)
        name, methods = METHODS[module.__name__]
        owner = getattr(module, name)
        for method in methods:
            assert hasattr(owner, method), f"{name} has no {method}"
            setattr(owner, method, nothing)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules whose methods are replaced."""

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in METHODS:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        assert spec is not None, f"no module {name}"
        assert spec.loader is not None, f"{name} has no loader"
        spec.loader = Loader(spec.loader)
        return spec


sys.meta_path.insert(0, Finder())
