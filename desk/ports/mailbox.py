"""The producer's mailbox, through which other threads send commands to its loop."""

from collections.abc import Sequence
from typing import Protocol

from desk.model.commands import Command


class Mailbox(Protocol):
    """Commands in the order in which they were posted."""

    @property
    def descriptor(self) -> int:
        """A file descriptor that is readable while a command is in the mailbox."""
        ...

    def post(self, command: Command) -> None:
        """Post a command, from any thread or signal handler."""
        ...

    def take(self) -> Sequence[Command]:
        """Everything posted since the last call; from the loop's own thread."""
        ...
