"""`desk run --trace FILE`: spans in Chrome's trace format, which Perfetto and chrome://tracing open.

The file is a JSON array of events (Trace Event Format, "JSON Array Format"). Its last bracket may be missing, so a
file of a desk that was killed opens, too.

Tests: tests/desk/inprocess/test_traced_run.py
"""

import os
from collections.abc import Sequence
from logging import Logger
from pathlib import Path
from typing import Any, Final

import msgspec

from desk.model.errors import PlanError
from desk.model.spans import SpanRecord

US_NS: Final = 1_000


class TraceFile:
    """Appends spans to a file of mode 0600. A write that fails ends the file: `fault` says why.

    Each trace is one track (asynchronous events of one id), across the processes. Raises PlanError for a file that
    cannot be made.
    """

    def __init__(self, path: Path, log: Logger) -> None:
        self.fault = ""
        self._path = path
        self._log = log
        self._named: set[int] = set()
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            raise PlanError(
                f"--trace {path}", f"it cannot be written: {error.strerror}", "a file that can be made", "Name another."
            ) from error
        self._write(b"[\n")

    def publish(self, process: str, pid: int, spans: Sequence[SpanRecord]) -> None:
        """Append the spans of one process."""
        events: list[dict[str, Any]] = []
        if spans and pid not in self._named:
            self._named.add(pid)
            events.append({"ph": "M", "name": "process_name", "pid": pid, "args": {"name": process}})
        for span in spans:
            events += _events(span, pid)
        self._write(b"".join(msgspec.json.encode(event) + b",\n" for event in events))

    def close(self) -> None:
        """End the array and close the file."""
        self._write(b"{}]\n")
        os.close(self._descriptor)

    def _write(self, rest: bytes) -> None:
        try:
            while rest and not self.fault:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self.fault = f"{self._path}: it ends here: {error.strerror}"
            self._log.warning("%s", self.fault)


def _events(span: SpanRecord, pid: int) -> list[dict[str, Any]]:
    common = {"cat": "trace", "id": span.trace_id[:16], "name": span.name, "pid": pid, "tid": pid}
    arguments = {**span.attributes, "trace_id": span.trace_id, "span_id": span.span_id, "parent_id": span.parent_id}
    if span.error:
        arguments["error"] = span.error
    return [
        {**common, "ph": "b", "ts": span.started_ns / US_NS, "args": arguments},
        {**common, "ph": "e", "ts": span.ended_ns / US_NS},
    ]
