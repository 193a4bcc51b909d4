"""stdout that a run outlives: its reader may go, its disk may fill."""

import os
from typing import Any, TextIO


class Unseen:
    """Passes everything on to `stream`, until that fails: from then on it goes to nowhere, and nothing is raised.

    A desk with open positions must not end because `head` had enough, or a terminal was closed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or not; what a text stream's `write` returns."""
        try:
            return self._stream.write(text)
        except OSError:
            self._leave()
            return len(text)

    def flush(self) -> None:
        """Flush, or not."""
        try:
            self._stream.flush()
        except OSError:
            self._leave()

    def _leave(self) -> None:
        """Let the descriptor itself lead nowhere: what is still buffered goes there at exit."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
