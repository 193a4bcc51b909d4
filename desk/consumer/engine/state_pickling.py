"""Pickling a strategy's state up to a limit: what is larger is not built in memory first.

Tests: tests/desk/consumer/engine/test_guard.py
"""

import pickle


class StateTooLargeError(Exception):
    """The pickle is larger than its limit."""


def pickle_within(value: object, most_bytes: int) -> bytes:
    """The value's pickle. Raises StateTooLargeError once it exceeds `most_bytes`, and what pickling raises."""
    pieces = _Pieces(most_bytes)
    pickle.Pickler(pieces).dump(value)
    return b"".join(pieces.pieces)


class _Pieces:
    """A file for a pickler."""

    def __init__(self, most_bytes: int) -> None:
        self.pieces: list[bytes] = []
        self._left = most_bytes

    def write(self, piece: bytes) -> int:
        self._left -= len(piece)
        if self._left < 0:
            raise StateTooLargeError
        self.pieces.append(bytes(piece))
        return len(piece)
