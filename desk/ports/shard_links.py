"""The links under the lanes, as the producer uses them, and what its procedures wait for."""

from collections.abc import Iterable
from enum import Enum, auto
from typing import Final, Protocol

import msgspec

from desk.model.batch import News


class AckWait(Enum):
    """Which acks are waited for."""

    SKIP = auto()
    """None, and those that are there are left: to look for them costs as much as to send."""
    LOOK = auto()
    """None, but those that are there are taken."""
    ONE = auto()
    """One, if any is under way; or the news of a shard that is lost."""
    ALL = auto()
    """All that are under way, or the news of a shard that is lost: the cheapest where nothing else is to be done."""
    SETTLED = auto()
    """None, but everything that the shards submitted to the broker is decided and delivered."""


class Wait(msgspec.Struct, frozen=True):
    """What a procedure waits for."""

    acks: AckWait


Waits = Iterable[Wait]
"""What a procedure waits for, one after the other. Everything may have changed after a wait; nothing between two."""

NOTHING: Final[tuple[Wait, ...]] = ()
"""Of a procedure that is over when it returns."""


class ShardLinks(Protocol):
    """The links under the lanes: batches go out in order per shard, acks come back.

    A shard that dies is told once as lost; what was under way to it gets no ack. Nothing is to be sent to it until
    its successor is told as back.
    """

    def send(self, shard: int, batch: bytes) -> None:
        """Pass one encoded batch on, without waiting for the shard. Raises ActorDied where the shard has no process."""
        ...

    def wait(self, wait: Wait) -> list[News]:
        """Wait for this; what came in since the last call.

        Raises ActorDied where no successor of a shard comes, and the DeskError that a shard raised.
        """
        ...


class ShardDirectory(Protocol):
    """Which shards the links reach."""

    def locate(self, shard: int) -> None:
        """Ask a shard where it stands, as soon as it has a process: the news is a ShardBack.

        So the links get to know a shard, and so they ask one again that they know.
        """
        ...

    def forget(self, shard: int) -> None:
        """Nothing is sent to this shard any more, and nothing is under way to it."""
        ...


class DirectoryLinks(ShardLinks, ShardDirectory, Protocol):
    """Links that know their shards themselves."""
