"""Shell completion of arguments: plans, folders of finished runs, runs to resume."""

import os
import re
from collections.abc import Iterator
from glob import escape, glob
from pathlib import Path
from typing import Final

_SESSION: Final = re.compile(r"^\s*\[?\s*session\b", re.MULTILINE)


def plan_files(incomplete: str) -> list[str]:
    """Files `*.toml` with a `[session]` that begin with this path, and those one folder below it."""
    return [path for path in _matches(incomplete, "*.toml") if _SESSION.search(_text(path))]


def finished_runs(incomplete: str) -> list[str]:
    """Run folders with a summary that begin with this path, or lie where run folders are made."""
    return _folders_with("summary.json", incomplete)


def runs_to_resume(incomplete: str) -> list[str]:
    """Run folders whose run can be resumed, likewise."""
    return _folders_with("resume.json", incomplete)


def _folders_with(file: str, incomplete: str) -> list[str]:
    typed = incomplete or f"{os.environ.get('RAYDESK_RUNS_DIR', 'runs')}/"
    return [str(Path(path).parent) for path in _matches(typed, f"*/{file}")]


def _matches(incomplete: str, pattern: str) -> Iterator[str]:
    """Paths that begin with `incomplete`; no folders, because a shell puts a space after a completed word."""
    typed = escape(incomplete)
    for start in (typed, f"{typed}*/"):
        yield from sorted(glob(f"{start}{pattern}"))  # noqa: PTH207 - Path.glob refuses absolute patterns


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
