"""What crosses the link under a lane: batches one way, acks the other. Encoded once, as bytes."""

from typing import Final

import msgspec

from desk.model.items import Item, Release
from desk.model.orders import Request

MAX_BATCH_BYTES: Final = 90 * 1024


class LaneTotals(msgspec.Struct, array_like=True, gc=False):
    """Running totals of one lane, by class and cause. They only rise.

    `revisions` are the corrections and cancels that were cut, which `trades` does not count: none is ever dropped.
    """

    trades: int = 0
    quotes: int = 0
    quotes_conflated: int = 0
    trades_aged: int = 0
    trades_full: int = 0
    quotes_full: int = 0
    revisions: int = 0


class Batch(msgspec.Struct, array_like=True):
    """Consecutive items of one lane.

    `seq` rises by one per (source, epoch, shard) and serves the window alone; what makes a tick count
    once is its ordinal. `sent_ns` is wall time. `want_reply`: the ack carries what the shard asks of the
    broker (lockstep), once it has reached `mark_ns`: the producer's last mark, and 1 ns more with each round of the
    close. `checkpoint`: one is wanted now.
    `more`: a part of the batch of this number, of which another follows.
    """

    source: str
    epoch: int
    shard: int
    seq: int
    sent_ns: int
    totals: LaneTotals
    items: list[Item]
    want_reply: bool = False
    traceparent: str | None = None
    mark_ns: int = 0
    checkpoint: bool = False
    more: bool = False


class Ack(msgspec.Struct, array_like=True):
    """A shard's answer to one batch: what it has applied, and how long it has been busy so far.

    `durable_seq` and `durable_mark_ns` are those of the last checkpoint that the keeper confirmed. `released` are
    the states of moves that this batch asked for, by move.
    """

    shard: int
    epoch: int
    seq: int
    mark_ns: int
    busy_ns: int
    refused: bool = False
    request: Request | None = None
    durable_seq: int = 0
    durable_mark_ns: int = 0
    released: dict[int, bytes] | None = None


class Released(msgspec.Struct, array_like=True):
    """What a shard handed over and still holds: it is forgotten when the other side's checkpoint has it."""

    release: Release
    state: bytes


class ShardPosition(msgspec.Struct, array_like=True):
    """Where a shard stands, for a producer that takes it up: right after its restart, or after the producer's own.

    `seq` is the last batch applied of the source's `source_epoch` (0: none of any). `durable_mark_ns` is that of its
    last confirmed checkpoint. `released` is what it has handed over and still holds, `adopted` the slots that it took
    over, both by move. `stops` counts the strategies that were stopped from outside, by symbol: more of them than
    before explain why its predecessor died. `ordinals` are those of the last tick by symbol, of what was handed over
    too.
    """

    shard: int
    epoch: int
    source_epoch: int
    seq: int
    mark_ns: int
    durable_mark_ns: int
    lane: LaneTotals
    watched: dict[str, list[str]] = {}
    released: dict[int, Released] = {}
    adopted: dict[int, list[int]] = {}
    closed: bool = False
    stops: int = 0
    ordinals: dict[str, int] = {}


class ShardLost(msgspec.Struct, frozen=True):
    """A shard's process is gone, or gave no sensible answer: what was under way to it may or may not be applied."""

    shard: int
    why: str


class ShardBack(msgspec.Struct, frozen=True):
    """A shard says where it stands: it was asked, or it is the successor of one that was lost, as far as restored."""

    position: ShardPosition


News = Ack | ShardLost | ShardBack
"""What comes back over the links."""


_batch_encoder = msgspec.msgpack.Encoder()
_batch_decoder = msgspec.msgpack.Decoder(Batch)
_ack_decoder = msgspec.msgpack.Decoder(Ack)
_position_decoder = msgspec.msgpack.Decoder(ShardPosition)

encode = _batch_encoder.encode
decode_batch = _batch_decoder.decode
decode_ack = _ack_decoder.decode
decode_position = _position_decoder.decode
