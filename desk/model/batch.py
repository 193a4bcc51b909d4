"""Messages of the link under a lane: batches one way, acks the other. A batch is encoded once."""

from typing import Final

import msgspec

from desk.model.items import Item, Release
from desk.model.orders import Request

MAX_BATCH_BYTES: Final = 90 * 1024


class LaneTotals(msgspec.Struct, array_like=True, gc=False):
    """Running totals of one lane, by class and cause. They only rise.

    `revisions` are the corrections and cancels that were cut into batches, `notices` the notices; `trades` does not
    include them. Lanes never drop them.
    """

    trades: int = 0
    quotes: int = 0
    quotes_conflated: int = 0
    trades_aged: int = 0
    trades_full: int = 0
    quotes_full: int = 0
    revisions: int = 0
    notices: int = 0


class Batch(msgspec.Struct, array_like=True):
    """Consecutive items of one lane.

    `seq` rises by one per (source, epoch, shard) and serves the window only; ordinals detect repeated ticks. `sent_ns`
    is wall time. `want_reply` (lockstep): the ack carries the shard's requests to the broker up to `mark_ns`, which is
    the producer's last mark, plus 1 ns for each round of the close. `checkpoint`: the shard takes a checkpoint after
    this batch. `more`: this is a part of batch `seq`, and another part follows.
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
    """A shard's answer to one batch: the last batch applied, and its total busy time.

    `durable_seq` and `durable_mark_ns` are `seq` and mark of the last checkpoint that the keeper confirmed. `released`
    are the states of the moves that this batch releases, by move.
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
    """A state that a shard handed over and keeps until the other shard's checkpoint contains it."""

    release: Release
    state: bytes


class ShardPosition(msgspec.Struct, array_like=True):
    """The position of a shard, for the producer: after a restart of the shard or of the producer.

    `seq` is the last batch applied of the producer's `source_epoch` (0: none). `durable_mark_ns` is the mark of its
    last confirmed checkpoint. `released` are the states that it handed over and still keeps, `adopted` the slots that
    it took over, both by move. `stops` counts the instances stopped from outside; a rise explains why the shard's
    predecessor died. `ordinals` are those of the last tick by symbol, including released symbols.
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
    """A shard's process has died, or its answer is invalid: unacknowledged batches may or may not be applied."""

    shard: int
    why: str


class ShardBack(msgspec.Struct, frozen=True):
    """A shard reports its position: in answer to a query, or after its restart."""

    position: ShardPosition


News = Ack | ShardLost | ShardBack
"""Messages that arrive over the links."""


_batch_encoder = msgspec.msgpack.Encoder()
_batch_decoder = msgspec.msgpack.Decoder(Batch)
_ack_decoder = msgspec.msgpack.Decoder(Ack)
_position_decoder = msgspec.msgpack.Decoder(ShardPosition)

encode = _batch_encoder.encode
decode_batch = _batch_decoder.decode
decode_ack = _ack_decoder.decode
decode_position = _position_decoder.decode
