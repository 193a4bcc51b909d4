"""Spans of a trace as the desk's processes record them, and W3C's trace context.

Tests: tests/desk/test_tracing.py
"""

import re
from typing import Final, NamedTuple

import msgspec

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")


class SpanContext(NamedTuple):
    """Which span of which trace: 32 and 16 lower-case hexadecimal digits."""

    trace_id: str
    span_id: str

    @property
    def traceparent(self) -> str:
        """The context as W3C's traceparent header, sampled (Trace Context, version 00)."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    @classmethod
    def of(cls, traceparent: str | None) -> "SpanContext | None":
        """The context in a traceparent header; None if there is none, or not a valid one."""
        found = _TRACEPARENT.fullmatch(traceparent or "")
        return None if found is None else cls(found[1], found[2])


class SpanRecord(msgspec.Struct, array_like=True, frozen=True):
    """One finished span; times are wall times in ns. `error` is the exception's type and message, "" for none."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    started_ns: int
    ended_ns: int
    attributes: dict[str, str | int | float | bool] = {}
    error: str = ""

    @property
    def context(self) -> SpanContext:
        return SpanContext(self.trace_id, self.span_id)
