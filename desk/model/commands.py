"""Commands to the producer from other threads, the broker and operators, through its mailbox."""

from collections.abc import Sequence

import msgspec

from desk.model.orders import OrderEvent


class Deliver(msgspec.Struct, frozen=True):
    """Put these committed order events into the lanes of their symbols."""

    events: Sequence[OrderEvent]


class MoveSlots(msgspec.Struct, frozen=True):
    """Move these slots to another shard."""

    slots: Sequence[int]
    to: int


class AddShard(msgspec.Struct, frozen=True):
    """Open a lane to a shard that runs or is starting. A repeat changes nothing."""

    shard: int


class RemoveShard(msgspec.Struct, frozen=True):
    """Close the lane of a shard once it owns no slot and its state is durable. A repeat changes nothing."""

    shard: int


class EndSession(msgspec.Struct, frozen=True):
    """End the session after the current frame, or once this producer has caught up with its predecessor."""


Command = Deliver | MoveSlots | AddShard | RemoveShard | EndSession
