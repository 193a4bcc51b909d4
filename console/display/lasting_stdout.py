"""A text stream that drops its text after the first failure, for stdout of a run."""

import os
from typing import Any, TextIO


class LastingStdout:
    """Writes to `stream` until that fails, then to the null device. Raises nothing.

    A desk with open positions must not end because a pipe's reader ended, a terminal was closed, or a disk is full.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or drop the text; return the number of characters."""
        try:
            return self._stream.write(text)
        except OSError:
            self._discard()
            return len(text)

    def flush(self) -> None:
        """Flush, or drop the buffered text."""
        try:
            self._stream.flush()
        except OSError:
            self._discard()

    def _discard(self) -> None:
        """Point the descriptor itself to the null device: Python flushes buffered text to it at exit."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)
