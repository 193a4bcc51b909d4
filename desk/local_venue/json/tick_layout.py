"""Ticks of a generic JSON feed: a quote with the day's volume and last price, one object in each frame.

Tests: tests/desk/local_venue/test_json_feed.py
"""

from typing import Final

from desk.local_venue.byte_fields import Field
from desk.local_venue.column_encoders import JsonWire, Wire
from desk.local_venue.message_layout import MessageKind, MessageLayout
from desk.model.blocks import QUOTE, Block


class TickWire(JsonWire):
    """JSON text; every event is a frame of its own, without an array around it."""

    array_close = b""
    separator = b""
    is_single = True

    def array_open(self, count: int) -> bytes:  # noqa: ARG002  the interface of an encoding
        return b""


def _tick(quotes: Block, wire: Wire, _fresh_ids: bool) -> list[tuple[str, Field]]:
    return [
        ("symbol", wire.texts(quotes.symbols, quotes.symbol)),
        ("bid", wire.floats(quotes.bid)),
        ("bid_size", wire.floats(quotes.bid_size)),
        ("ask", wire.floats(quotes.ask)),
        ("ask_size", wire.floats(quotes.ask_size)),
        ("last", wire.floats(quotes.price)),
        ("volume", wire.floats(quotes.size)),
        ("timestamp", wire.place_holder("t")),
    ]


TICKS: Final = MessageLayout((MessageKind(QUOTE, "quotes", _tick),), has_volumes=True)
TICK_JSON: Final[Wire] = TickWire()
