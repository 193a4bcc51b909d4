"""A mailbox in this process: other threads post commands, the loop's thread takes them."""

import os
import weakref
from collections import deque
from contextlib import suppress
from typing import Final

from desk.model.commands import Command

MOST_BYTES: Final = 4096
"""Bytes taken from the pipe by one read."""


class ProcessMailbox:
    """Holds commands until they are taken. Posting takes no lock, so that a signal handler may do it.

    A pipe makes a waiting loop return: posting appends the command and then writes a byte. `take` reads bytes before it
    takes commands, so that every byte read belongs to a command that was already taken or is taken now. Bytes whose
    command was taken before they were written are read by the next calls.
    """

    def __init__(self) -> None:
        self._posted: deque[Command] = deque()
        self._unread = 0
        self.descriptor, self._write_end = os.pipe()
        for end in (self.descriptor, self._write_end):
            os.set_blocking(end, False)
            # Not at exit: a thread that still posts would write to a number that belongs to another file.
            weakref.finalize(self, os.close, end).atexit = False

    def post(self, command: Command) -> None:
        """Post a command, from any thread or signal handler."""
        self._posted.append(command)
        with suppress(BlockingIOError):  # the pipe is full, and so readable: the loop does not wait
            os.write(self._write_end, b"\0")

    def take(self) -> list[Command]:
        """Everything posted since the last call."""
        if not self._posted and not self._unread:
            return []
        try:
            read = len(os.read(self.descriptor, MOST_BYTES))
        except BlockingIOError:  # the command was appended, and its byte is not written yet
            read = 0
        taken = [self._posted.popleft() for _ in range(len(self._posted))]
        self._unread += len(taken) - read
        return taken
