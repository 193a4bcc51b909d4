"""Limits how many log lines of one kind are written within an interval.

Tests: tests/desk/runs/test_log_file.py
"""

import logging
import re
from typing import Final, NamedTuple

LINES: Final = 200
INTERVAL_S: Final = 10.0
KINDS: Final = 1_000
"""Kinds of lines that are told apart within an interval; all others are one kind."""

_PLACEHOLDER: Final = re.compile(r"%[^a-zA-Z%]*[a-zA-Z%]")
_NUMBER: Final = re.compile(r"\d[\d.,:]*")


class LineKind(NamedTuple):
    """Level and template of lines that count as one kind."""

    level: int
    template: str


class HeldLines(NamedTuple):
    """How many lines of a kind were not written in an interval."""

    kind: LineKind
    lines: int


OTHERS: Final = LineKind(logging.INFO, "lines of other kinds")


class LineLimit:
    """Admits the first `lines` of each kind per interval, and counts the rest. `now_s` is monotonic."""

    def __init__(self, lines: int = LINES, interval_s: float = INTERVAL_S) -> None:
        self.interval_s = interval_s
        self._lines = lines
        self._began_s = float("-inf")
        self._counts: dict[LineKind, int] = {}

    def admits(self, kind: LineKind) -> bool:
        """Count a line; return whether to write it."""
        if kind not in self._counts and len(self._counts) >= KINDS:
            kind = OTHERS
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        return count <= self._lines

    def ended(self, now_s: float, *, at_once: bool = False) -> list[HeldLines]:
        """Begin the next interval if this one is over, or `at_once`; return what was held back."""
        if not at_once and now_s - self._began_s < self.interval_s:
            return []
        held = [HeldLines(kind, n - self._lines) for kind, n in self._counts.items() if n > self._lines]
        self._began_s = now_s
        self._counts.clear()
        return held


def line_kind(record: logging.LogRecord) -> LineKind:
    """The kind of a record: its template, or, where that is only a placeholder, its text without the numbers."""
    template = str(record.msg)
    if not any(map(str.isalpha, _PLACEHOLDER.sub("", template))):
        template = _NUMBER.sub("#", record.getMessage())
    return LineKind(record.levelno, template)
