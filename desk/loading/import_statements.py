"""Reads the imports of a source file, without importing anything.

Tests: tests/desk/loading/test_sources.py, tests/console/test_job_package.py
"""

import ast
from collections.abc import Iterator
from pathlib import Path


def parent_packages(name: str) -> Iterator[str]:
    """The packages that contain a module, the innermost first."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def imported_names(file: Path, package: str) -> Iterator[str]:
    """The modules that the source of a module of `package` imports anywhere, also in functions.

    Names after `from … import` are included, since they may be modules. A file that is not Python source has none.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = _absolute_name(package, module, level)
                yield base
                yield from (f"{base}.{alias.name}" for alias in names if alias.name != "*")
            case ast.Call(func=ast.Name(id="__import__" | "import_module"), args=[ast.Constant(value=str(name)), *_]):
                yield name
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_]):
                yield name


def _absolute_name(package: str, module: str | None, level: int) -> str:
    """The module of `from … import`, where `level` is the number of leading dots."""
    parts = package.split(".") if level else []
    above = parts[: len(parts) - level + 1]
    return ".".join([*above, *filter(None, [module])])
