"""Which encoding a message of the stream is in, by its frame and its first byte."""

from desk.venues.alpaca.market.codec import Encoding


def encoding_of(message: bytes | bytearray, *, text: bool) -> Encoding | None:
    """JSON in a text frame, or in a binary one by its first byte; MessagePack where an array begins; else None.

    No array of MessagePack begins with a bracket or brace: there they are small numbers. Source: MessagePack
    specification, "Overview" of formats.
    """
    first = bytes(message.lstrip()[:1] if text else message[:1])
    if first in {b"[", b"{"}:
        return "json"
    if text or not first:
        return None
    return "msgpack" if first[0] & 0xF0 == 0x90 or first[0] in {0xDC, 0xDD} else None
