"""Frames that a client cannot decode.

Tests: tests/desk/local_venue/test_faulty_client.py
"""

from typing import Final

from desk.local_venue.messages import frame_header
from desk.local_venue.server_protocol import ServerProtocol

TRADE: Final = {"T": "t", "S": "BROKEN", "i": 1, "x": "V", "p": 10.0, "s": 100, "c": ["@"], "z": "C", "t": 1}
NESTING: Final = 5_000
KIND_OF_PADDING: Final = "padding"


def malformed(protocol: ServerProtocol, what: str) -> bytes:
    """The payload of a frame with this flaw."""
    encode = protocol.encode_stamped
    match what:
        case "truncated":
            return encode([TRADE, TRADE])[:-9]
        case "not_utf8":
            return b"\xff\xfe\xc1" + encode([TRADE])
        case "not_a_list":
            return encode([TRADE])[1:]
        case "unknown_kind":
            return encode([{**TRADE, "T": "?"}])
        case "wrong_type":
            return encode([{**TRADE, "p": "ten"}])
        case "nested":
            return b"\x91" * NESTING if protocol.binary else b"[" * NESTING
        case _:
            return b""


def oversized(protocol: ServerProtocol, size: int) -> bytes:
    """A payload of about `size` bytes: one message of an unknown kind."""
    return protocol.encode([{"T": KIND_OF_PADDING, "text": "x" * size}])


def as_frame(protocol: ServerProtocol, payload: bytes) -> bytes:
    """The payload as a complete frame."""
    return frame_header(0x2 if protocol.binary else 0x1, len(payload)) + payload


def half_frame(protocol: ServerProtocol) -> bytes:
    """The first half of a frame of a trade."""
    frame = as_frame(protocol, protocol.encode_stamped([TRADE] * 2))
    return frame[: len(frame) // 2]
