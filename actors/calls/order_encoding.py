"""The encoding of requests and order events between actors: encoded once, as bytes.

Tests: tests/actors/test_plain_actors.py
"""

import msgspec

from desk.model.bars import Bar
from desk.model.orders import OrderEvent, Request

_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(Request)
_bars = msgspec.msgpack.Decoder(list[Bar])
_numbers = msgspec.msgpack.Decoder(dict[str, int])
_events = msgspec.msgpack.Decoder(list[OrderEvent])

encode = _encoder.encode
decode_request = _requests.decode
decode_events = _events.decode
decode_bars = _bars.decode
decode_numbers = _numbers.decode
