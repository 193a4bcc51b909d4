"""The lines of desk.log as they are written: one JSON object each."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def log_lines(path: Path) -> list[dict[str, Any]]:
    """Every line of a log; a line that is no JSON object with time, level, logger and event fails the test."""
    return list(parsed(path.read_text(encoding="utf-8")))


def parsed(text: str) -> Iterator[dict[str, Any]]:
    """The objects of a log's text; its last line may still be in the writing."""
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            entry = json.loads(line)
            assert list(entry)[:4] == ["time", "level", "logger", "event"], line
            yield entry


def log_events(path: Path) -> str:
    """Level and event of each line, one below the other, for tests that look for words."""
    return readable(path.read_text(encoding="utf-8"))


def readable(text: str) -> str:
    """Level and event of each line of a log's text; tracebacks follow their event on its line."""
    entries = parsed(text)
    return "\n".join(f"{entry['level']} {entry['event']}{_traceback(entry)}" for entry in entries)


def _traceback(entry: dict[str, Any]) -> str:
    return f"\\n{entry['traceback']}".replace("\n", "\\n") if "traceback" in entry else ""
