"""Print a benchmark's results: machine, versions, command and figures."""

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from os import cpu_count
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

PACKAGES = ("ray", "msgspec", "numpy", "pyarrow", "websockets", "alpaca-py")
WIDEST = 10
"""A table with more figures than this is printed with one line per figure."""


def machine() -> dict[str, Any]:
    """The machine, and the versions of the packages that affect the figures."""
    return {
        "cores": cpu_count(),
        "cpu": _cpu_model(),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def print_results(name: str, rows: Sequence[Mapping[str, Any]], **about: Any) -> None:
    """Print one JSON line for scripts and one table for readers."""
    module = sys.modules["__main__"].__spec__
    command = f"python -m {module.name if module else name} {' '.join(sys.argv[1:])}".strip()
    print(json.dumps({"benchmark": name, "command": command, "machine": machine(), **about, "rows": list(rows)}))
    figures = list(dict.fromkeys(key for row in rows for key in row))
    table = _wide(rows, figures) if len(figures) <= WIDEST else _tall(rows, figures)
    table.title = name
    Console(width=160).print(table)


def _wide(rows: Sequence[Mapping[str, Any]], figures: Sequence[str]) -> Table:
    """One line per row."""
    table = Table()
    for figure in figures:
        table.add_column(figure.replace("_", " "), justify="left" if figure == "what" else "right")
    for row in rows:
        table.add_row(*(_cell(row.get(figure, "")) for figure in figures))
    return table


def _tall(rows: Sequence[Mapping[str, Any]], figures: Sequence[str]) -> Table:
    """One line per figure."""
    table = Table()
    table.add_column("")
    for row in rows:
        table.add_column(_cell(row.get("what", "")), justify="right")
    for figure in figures:
        if figure != "what":
            table.add_row(figure.replace("_", " "), *(_cell(row.get(figure, "")) for row in rows))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
