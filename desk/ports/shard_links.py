"""The links under the lanes, as the producer uses them, and what its procedures wait for."""

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import Final, Protocol

import msgspec

from desk.model.batch import News


class AckWait(Enum):
    """Which acks are waited for."""

    SKIP = auto()
    """None; acks that have arrived are not taken, because a look costs as much as a send."""
    LOOK = auto()
    """None; acks that have arrived are taken."""
    ONE = auto()
    """One, if any is pending, or the loss of a shard."""
    ALL = auto()
    """All pending ones, or the loss of a shard: the cheapest if there is nothing else to do."""
    SETTLED = auto()
    """None; waits until the broker has decided all requests of the shards and delivered the events."""


class Wait(msgspec.Struct, frozen=True):
    """What a procedure waits for: acks, and the time `until_ns` (wall time; 0: no time).

    A wait for a time also ends when there is something to read: a command, or data of the feed.
    """

    acks: AckWait
    until_ns: int = 0


Waits = Iterable[Wait]
"""The waits of a procedure, in order. Any state may change during a wait, and none between two."""

NOTHING: Final[tuple[Wait, ...]] = ()
"""The waits of a procedure that does not wait."""
LOOK: Final = (Wait(AckWait.LOOK),)
"""The waits of a procedure that has the arrived acks taken, and does not wait."""


class ShardLinks(Protocol):
    """The links under the lanes: they send batches, and deliver acks per shard in the order of its batches.

    A shard that dies is reported once, by `ShardLost`; its pending batches get no ack. Nothing may be sent to it until
    `ShardBack` reports its successor.
    """

    def send(self, shard: int, batch: bytes) -> None:
        """Send one encoded batch without waiting for the shard. Raises ActorDied if the shard has no process."""
        ...

    def wait(self, wait: Wait, descriptors: Sequence[int] = ()) -> list[News]:
        """Wait as `wait` says; return the news since the last call. The only call of the producer that waits.

        A wait for a time ends early when one of the descriptors is readable, and at the latest after 250 ms.
        Raises ActorDied if no successor of a shard starts, and the DeskError that a shard raised.
        """
        ...


class ShardDirectory(Protocol):
    """The set of shards that the links reach."""

    def locate(self, shard: int) -> None:
        """Request a shard's position as soon as it has a process; a `ShardBack` delivers it.

        Adds the shard to the links if it is new.
        """
        ...

    def forget(self, shard: int) -> None:
        """Remove a shard to which no batch is pending."""
        ...


class DirectoryLinks(ShardLinks, ShardDirectory, Protocol):
    """Links that know their shards themselves."""
