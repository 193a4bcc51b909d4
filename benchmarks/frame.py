"""What all benchmarks print: the machine, the versions, the command, the figures."""

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

PACKAGES = ("ray", "msgspec", "numpy", "pyarrow", "websockets")


def machine() -> dict[str, Any]:
    """Name the machine and the versions that matter."""
    return {
        "cores": cpu_count(),
        "cpu": _cpu_model(),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def publish(name: str, rows: Sequence[Mapping[str, Any]], **about: Any) -> None:
    """Print the figures: one JSON line for scripts, one table for people."""
    command = f"python -m {name} {' '.join(sys.argv[1:])}".strip()
    print(json.dumps({"benchmark": name, "command": command, "machine": machine(), **about, "rows": list(rows)}))
    table = Table(title=name)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    for column in columns:
        table.add_column(column.replace("_", " "), justify="left" if column == "what" else "right")
    for row in rows:
        table.add_row(*(_cell(row.get(column, "")) for column in columns))
    Console(width=160).print(table)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
