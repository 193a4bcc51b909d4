"""desk.log: a thread writes the lines; those that cannot be written are counted and reported, and the run continues."""

import logging
import os
import sys
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, Literal

from desk.files.private import private_opener
from desk.runs.line_limit import LineLimit, line_kind
from desk.telemetry.timed_wait import TimedWait

QUEUE_LINES: Final = 2_000
FLUSH_S: Final = 2.0
LOOK_S: Final = 1.0

Cause = Literal["rate", "full", "write", "late"]


class LogFile(logging.Handler):
    """Appends each record to a file of mode 0600. Making it raises OSError.

    Logging never waits for the disk: lines go through a queue. A line is dropped if its kind has too many (`rate`: one
    line reports how many), if the queue is `full`, if the `write` fails, or if it is too `late` at the end. `dropped`
    counts them by cause, `fault` describes lost lines for the summary, and stderr reports the first one. `writes` times
    the system's calls.
    """

    def __init__(self, path: Path, limit: LineLimit | None = None, queue_lines: int = QUEUE_LINES) -> None:
        super().__init__()
        self.writes = TimedWait(time.perf_counter_ns)
        self.dropped: dict[Cause, int] = {"rate": 0, "full": 0, "write": 0, "late": 0}
        self._path = path
        self._descriptor = private_opener(str(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK)
        os.set_blocking(self._descriptor, True)  # a pipe without a reader is an error, and does not block the start
        self._limit = limit or LineLimit()
        self._most = queue_lines
        self._queue: SimpleQueue[bytes | threading.Event | None] = SimpleQueue()
        self._why = ""
        self._is_reported = self._is_torn = False
        self._stuck_at: int | None = None
        self._enqueued = self._done = 0
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def fault(self) -> str:
        """A message about lost lines, and those that wait for a disk that does not answer; "" for none."""
        waiting = self._waiting if self._is_stuck and self._descriptor >= 0 else 0
        lost = sum(self.dropped.values()) - self.dropped["rate"] + waiting
        why = self._why or f"a write has not ended within {FLUSH_S:g} s"
        return f"{self._path}: {lost:,} lines were lost: {why}" if lost else ""

    def emit(self, record: logging.LogRecord) -> None:
        """Enqueue the record's line."""
        self._report_held(at_once=False)
        if self._limit.admits(line_kind(record)):
            self._enqueue(record)
        else:
            self.dropped["rate"] += 1

    def flush(self) -> None:
        """Wait until all lines so far are written, at most FLUSH_S, and not again for a write that has not ended."""
        if not self._can_write or self._is_stuck:
            return
        written = threading.Event()
        self._queue.put(written)
        self._stuck_at = None if written.wait(FLUSH_S) else self._done

    def close(self) -> None:
        """Write the last lines, for at most FLUSH_S, and close the file."""
        if self._descriptor >= 0 and self._can_write:
            self._report_held(at_once=True)
            self._queue.put(None)
            self._thread.join(0.0 if self._is_stuck else FLUSH_S)
            if self._thread.is_alive():
                self._lose("late", f"a write has not ended within {FLUSH_S:g} s", self._waiting)
            else:
                os.close(self._descriptor)
            self._report_fault()
        self._descriptor = -1
        super().close()

    @property
    def _can_write(self) -> bool:
        return self._thread.is_alive() and os.getpid() == self._pid

    @property
    def _is_stuck(self) -> bool:
        """Whether no line was written since a flush that was not done in time."""
        return self._stuck_at is not None and self._stuck_at == self._done

    @property
    def _waiting(self) -> int:
        """Lines that are enqueued, and neither written nor lost."""
        return self._enqueued - self._done

    def _enqueue(self, record: logging.LogRecord) -> None:
        if self._waiting >= self._most:
            self._lose("full", "writing is too slow")
        else:
            self._enqueued += 1
            self._queue.put(f"{self.format(record)}\n".encode(errors="backslashreplace"))

    def _report_held(self, *, at_once: bool) -> None:
        """Enqueue a line for each kind of which lines were held back in the interval that ended."""
        for (level, template), held in self._limit.ended(time.monotonic(), at_once=at_once):
            text = "%d more lines like this one within %g s: %s"
            values = (held, self._limit.interval_s, template)
            self._enqueue(logging.LogRecord("raydesk", level, "", 0, text, values, None))

    def _lose(self, cause: Cause, why: str, lines: int = 1) -> None:
        self.dropped[cause] += lines
        self._why = self._why or why

    def _report_fault(self) -> None:
        """Report the first lost line on stderr, which may block; so emit never calls this."""
        if self._why and not self._is_reported:
            self._is_reported = True
            sys.stderr.write(f"error: {self._path}: lines are lost: {self._why}\n")

    def _run(self) -> None:
        while True:
            try:
                item = self._queue.get(timeout=LOOK_S)
            except Empty:
                self._report_if_free()
                continue
            if item is None:
                return
            if isinstance(item, bytes):
                self._write(item)
                self._done += 1
            else:
                item.set()

    def _report_if_free(self) -> None:
        """Report held lines, unless a thread logs just now: a signal may interrupt it, and wait for this one."""
        if self.lock is not None and self.lock.acquire(blocking=False):
            try:
                self._report_held(at_once=False)
            finally:
                self.lock.release()

    def _write(self, line: bytes) -> None:
        rest = b"\n" + line if self._is_torn else line
        try:
            with self.writes:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            self._is_torn = False
        except OSError as error:
            self._is_torn = self._is_torn or len(rest) < len(line)
            self._lose("write", error.strerror or str(error))
        self._report_fault()
