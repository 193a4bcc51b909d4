"""Pickle a strategy's state up to a limit, without building a larger pickle in memory.

Tests: tests/desk/consumer/engine/test_guard.py
"""

import pickle


class StateTooLargeError(Exception):
    """The pickle is larger than its limit."""


def pickle_within(value: object, most_bytes: int) -> bytes:
    """The value's pickle. Raises StateTooLargeError once it exceeds `most_bytes`, and any exception of pickling."""
    pieces = _Pieces(most_bytes)
    pickle.Pickler(pieces).dump(value)
    return b"".join(pieces.pieces)


class _Pieces:
    """The file object that a pickler writes to."""

    def __init__(self, most_bytes: int) -> None:
        self.pieces: list[bytes] = []
        self._left = most_bytes

    def write(self, piece: bytes) -> int:
        self._left -= len(piece)
        if self._left < 0:
            raise StateTooLargeError
        self.pieces.append(bytes(piece))
        return len(piece)
