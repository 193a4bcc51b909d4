"""The format of desk.log: one event, one line, one JSON object.

`time` (UTC, ms), `level`, `logger` and `event` are on every line. Fields that an event has (`actor`, `pid`, …) follow
by their names, `traceback` is last.

Tests: tests/desk/runs/test_log_file.py
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from desk.model.plain_text import lines, one_line

LONGEST: Final = 20_000
"""Characters of an event or a traceback; the rest is cut off."""
OWN_KEYS: Final = frozenset({"time", "level", "logger", "event", "traceback"})

Field = str | int | float | bool | None


def fields(**values: Field) -> dict[str, Mapping[str, Field]]:
    """Fields of an event, for the `extra` argument of a logger's methods."""
    assert not OWN_KEYS & set(values), "a field has a name that every line has"
    return {"desk_fields": values}


class LogLine(logging.Formatter):
    """Formats records as JSON, without line breaks, control characters, and what `hide` removes from a text."""

    def __init__(self, hide: Callable[[str], str] = str) -> None:
        super().__init__()
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        given: Mapping[str, Field] = getattr(record, "desk_fields", {})
        content: dict[str, Field] = {
            "time": _utc(record.created),
            "level": record.levelname,
            "logger": record.name,
            "event": one_line(self._clean(record.getMessage())),
        }
        for name, value in given.items():
            content[name] = one_line(self._clean(value)) if isinstance(value, str) else value
        if record.exc_info:
            content["traceback"] = lines(self._clean(self.formatException(record.exc_info)))
        return json.dumps(content, ensure_ascii=False, default=str)

    def _clean(self, text: str) -> str:
        text = self._hide(text)
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _utc(seconds: float) -> str:
    """ISO 8601 with milliseconds, as in 2026-01-05T14:30:00.125Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
