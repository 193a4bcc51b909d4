"""A mailbox in this process: other threads post commands, the loop's thread takes them.

Tests: tests/desk/producer/test_shape.py
"""

from collections import deque

from desk.model.commands import Command


class ProcessMailbox:
    """Holds commands until they are taken. Posting takes no lock, so that a signal handler may do it."""

    def __init__(self) -> None:
        self._posted: deque[Command] = deque()

    def post(self, command: Command) -> None:
        """Post a command, from any thread or signal handler."""
        self._posted.append(command)

    def take(self) -> list[Command]:
        """Everything posted since the last call."""
        return [self._posted.popleft() for _ in range(len(self._posted))]
