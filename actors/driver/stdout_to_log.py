"""Redirects Ray's output on stdout to the run's log, so that it does not disturb the live table."""

import io
import re
from logging import Logger
from typing import Final

COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


class StdoutToLog(io.TextIOBase):
    """A text stream that logs each line; for `contextlib.redirect_stdout`. Thread-safe."""

    def __init__(self, log: Logger) -> None:
        self._log = log

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for line in COLOURS.sub("", text).splitlines():
            if line.strip():
                self._log.info("ray says: %s", line.strip())
        return len(text)
