"""Checkpoints: what a shard leaves with the keeper, so that a successor goes on where it stood."""

import msgspec

from desk.model.bars import Bar
from desk.model.feed_position import FeedPosition
from desk.model.records import GapRecord


class Checkpoint(msgspec.Struct, array_like=True):
    """One shard's state after a mark, with the bars closed or revised since the checkpoint before.

    `number` rises within a shard, through its incarnations too: a successor goes on above the number it was
    restored from. `session_ns` is the last mark, `seq` the last batch applied in this epoch. `state` is the
    engine's own encoding, `totals` the shard's; nobody else looks into them. `final`: the session is over,
    nothing follows. `trades` are those remembered or revised since the checkpoint before, by symbol: how many, and as
    `desk.bars.remembered_trades` encodes them; they were remembered until `trades_ns`, and what was remembered before
    `trades_from_ns` is not needed any more.
    `source_epoch` is the incarnation of the producer that cut the batch `seq`. `last_move` is the
    highest number of a slot move that this shard has done its part of.
    """

    shard: int
    epoch: int
    number: int
    session_ns: int
    seq: int
    bars: list[Bar]
    state: bytes
    final: bool = False
    source_epoch: int = 0
    totals: bytes = b""
    last_move: int = 0
    trades: dict[str, tuple[int, bytes]] = {}
    trades_from_ns: int = 0
    trades_ns: int = 0


class ProducerState(msgspec.Struct, array_like=True):
    """What a producer leaves with the keeper, so that a successor goes on from its mark.

    It is kept once every shard has a confirmed checkpoint at `mark_ns` or later: a successor that begins there
    misses nothing. It was taken at the mark, before the scanners' answers took effect; `asked_ns` is the mark at
    which they were asked last, None if no answer is outstanding. `feed_lag_ns` is the lag that the mark told.
    `subscriptions`, `table` and `watch` are what their owners encoded.
    """

    epoch: int
    feed: FeedPosition
    asked_ns: int | None
    subscriptions: bytes
    table: bytes
    moves: int = 0
    gaps: list[GapRecord] = []
    feed_lag_ns: int = 0
    watch: bytes = b""

    @property
    def mark_ns(self) -> int:
        """The mark at which this was taken."""
        return self.feed.mark_ns


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Checkpoint)

_producer_decoder = msgspec.msgpack.Decoder(ProducerState)

encode_checkpoint = _encoder.encode
decode_checkpoint = _decoder.decode
encode_producer = _encoder.encode
decode_producer = _producer_decoder.decode
