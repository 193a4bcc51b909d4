"""What other threads, the broker and operators ask of the producer, by its mailbox."""

from collections.abc import Sequence

import msgspec

from desk.model.orders import OrderEvent


class Deliver(msgspec.Struct, frozen=True):
    """Put these committed order events into the lanes of their symbols."""

    events: Sequence[OrderEvent]


class MoveSlots(msgspec.Struct, frozen=True):
    """Let these slots belong to another shard soon."""

    slots: Sequence[int]
    to: int


class AddShard(msgspec.Struct, frozen=True):
    """Open a lane to a shard that is there, or soon will be. A repeat changes nothing."""

    shard: int


class RemoveShard(msgspec.Struct, frozen=True):
    """Close the lane of a shard once it owns nothing and all is durable. A repeat changes nothing."""

    shard: int


class EndSession(msgspec.Struct, frozen=True):
    """End after the current frame, or once this producer has caught up with the one before."""


Command = Deliver | MoveSlots | AddShard | RemoveShard | EndSession
