"""The order of the keeper's last write to each file, which exposes a file replaced by an older one of the same run.

Tests: tests/desk/checkpoint/test_store.py
"""

import msgspec


class LastWrites(msgspec.Struct, array_like=True):
    """The (epoch, number) of each shard's last checkpoint, and the (epoch, mark_ns) of the producer's last state."""

    shards: dict[int, tuple[int, int]] = {}
    producer: tuple[int, int] | None = None


_encoder = msgspec.msgpack.Encoder()
encode_order = _encoder.encode
decode_order = msgspec.msgpack.Decoder(LastWrites).decode
