"""The encoding of a message, by its kind of frame and its first byte."""

from desk.venues.frame_codec import Encoding


def encoding_of(message: bytes | bytearray, *, text: bool) -> Encoding | None:
    """JSON if it starts with a bracket or brace, MessagePack if a binary frame starts with an array; else None.

    In MessagePack these two characters are small integers, not arrays. Source: MessagePack specification, "Overview"
    of formats.
    """
    first = bytes(message.lstrip()[:1] if text else message[:1])
    if first in {b"[", b"{"}:
        return "json"
    if text or not first:
        return None
    return "msgpack" if first[0] & 0xF0 == 0x90 or first[0] in {0xDC, 0xDD} else None
