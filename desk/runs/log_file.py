"""desk.log: lines that cannot be written are counted and reported; the run continues."""

import logging
import os
import sys
import time
from pathlib import Path

from desk.files.private import private_opener
from desk.telemetry.timed_wait import TimedWait


class LogFile(logging.Handler):
    """Appends each record to a file of mode 0600. Making it raises OSError.

    Lost lines are counted, and reported on stderr once; `fault` describes them for the summary. `writes` times the
    system's calls.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._descriptor = private_opener(str(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.writes = TimedWait(time.perf_counter_ns)
        self._lost = 0
        self._why = ""

    @property
    def fault(self) -> str:
        """A message about lost lines, "" for none."""
        return f"{self._path}: {self._lost:,} lines were lost: {self._why}" if self._lost else ""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        try:
            rest = f"{self.format(record)}\n".encode(errors="backslashreplace")
            with self.writes:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self._lost += 1
            if not self._why:
                self._why = error.strerror or str(error)
                sys.stderr.write(f"error: {self._path}: lines are lost: {self._why}\n")

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        super().close()
