"""What crosses the link under a lane: batches one way, acks the other. Encoded once, as bytes."""

from typing import Final

import msgspec

from desk.model.items import Item
from desk.model.orders import Request

MAX_BATCH_BYTES: Final = 90 * 1024


class LaneTotals(msgspec.Struct, array_like=True, gc=False):
    """Running totals of one lane, by class and cause. They only rise."""

    trades: int = 0
    quotes: int = 0
    quotes_conflated: int = 0
    trades_aged: int = 0
    trades_full: int = 0
    quotes_full: int = 0


class Batch(msgspec.Struct, array_like=True):
    """Consecutive items of one lane.

    `seq` rises by one per (source, epoch, shard) and serves the window alone; what makes a tick count
    once is its ordinal. `sent_ns` is wall time. `want_reply`: the ack carries what the shard asks of the
    broker (lockstep).
    """

    source: str
    epoch: int
    shard: int
    table_version: int
    seq: int
    sent_ns: int
    totals: LaneTotals
    items: list[Item]
    want_reply: bool = False
    traceparent: str | None = None


class Ack(msgspec.Struct, array_like=True):
    """A shard's answer to one batch: what it has applied, and how busy it was. Counters are running totals."""

    shard: int
    epoch: int
    seq: int
    mark_ns: int
    trades: int
    quotes: int
    busy_ns: int
    refused: bool = False
    request: Request | None = None


_batch_encoder = msgspec.msgpack.Encoder()
_batch_decoder = msgspec.msgpack.Decoder(Batch)
_ack_decoder = msgspec.msgpack.Decoder(Ack)

encode = _batch_encoder.encode
decode_batch = _batch_decoder.decode
decode_ack = _ack_decoder.decode
