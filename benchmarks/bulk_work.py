"""Bulk work beside a reader: calls of C that hold the interpreter's lock, or plain Python.

Tests: tests/benchmarks/test_benchmark_placement.py
"""

import json
import threading
import time
from typing import Final, Literal

BulkKind = Literal["c", "python"]

ENTRIES: Final = 2_000
"""Entries of the first document; its parse time sets the number for the asked one."""


def start(kind: BulkKind, call_ms: float) -> threading.Thread:
    """Do bulk work of this kind in a thread of this process until the process ends."""
    thread = threading.Thread(target=run, args=(kind, call_ms), name="bulk work", daemon=True)
    thread.start()
    return thread


def run(kind: BulkKind, call_ms: float) -> None:
    """Do bulk work without end."""
    document = document_of(call_ms) if kind == "c" else ""
    while True:
        if kind == "c":
            json.loads(document)
        else:
            sum(number * number for number in range(10_000))


def document_of(call_ms: float) -> str:
    """A JSON document whose parse, one call of C, takes about this long on a quiet core of this machine."""
    first = _document(ENTRIES)
    times_s = []
    for _ in range(5):
        began_s = time.perf_counter()
        json.loads(first)
        times_s.append(time.perf_counter() - began_s)
    return _document(max(round(ENTRIES * call_ms / 1000 / min(times_s)), 1))


def _document(entries: int) -> str:
    return json.dumps([{"id": number, "price": number / 7, "side": "buy"} for number in range(entries)])
