"""Checkpoints: what a shard leaves with the keeper, so that a successor goes on where it stood."""

import msgspec

from desk.model.bars import Bar


class Checkpoint(msgspec.Struct, array_like=True):
    """One shard's state after a mark, with the bars closed or revised since the checkpoint before.

    `number` rises within a shard, through its incarnations too: a successor goes on above the number it was
    restored from. `session_ns` is the last mark, `seq` the last batch applied in this epoch. `state` is the
    engine's own encoding; nobody else looks into it. `final`: the session is over, nothing follows.
    """

    shard: int
    epoch: int
    number: int
    session_ns: int
    seq: int
    bars: list[Bar]
    state: bytes
    final: bool = False


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Checkpoint)

encode_checkpoint = _encoder.encode
decode_checkpoint = _decoder.decode
