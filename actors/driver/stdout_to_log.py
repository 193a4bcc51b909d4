"""What Ray prints into this process's standard output goes into the run's log, one line each, and not on the table."""

import io
import re
from logging import Logger
from typing import Final

COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


class StdoutToLog(io.TextIOBase):
    """A text stream whose lines are logged; for `contextlib.redirect_stdout`. May be written to from any thread."""

    def __init__(self, log: Logger) -> None:
        self._log = log

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for line in COLOURS.sub("", text).splitlines():
            if line.strip():
                self._log.info("ray says: %s", line.strip())
        return len(text)
