"""Chunks of received ticks, as the recording of a live feed carries them.

Tests: tests/desk/tape/test_tick_log.py
"""

import msgspec

from desk.model.ticks import Event


class TickChunk(msgspec.Struct, array_like=True):
    """Ticks and notices in arrival order; `number` rises within the `epoch` of a producer, and epochs rise.

    `frames` has, for each frame, its number of ticks and the session time at which it was received.
    """

    epoch: int
    number: int
    ticks: list[Event]
    frames: list[tuple[int, int]]


encode_chunk = msgspec.msgpack.Encoder().encode
decode_chunk = msgspec.msgpack.Decoder(TickChunk).decode
