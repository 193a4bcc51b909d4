"""How requests and order events cross between actors: encoded once, as bytes."""

import msgspec

from desk.model.orders import OrderEvent, Request

_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(Request)
_events = msgspec.msgpack.Decoder(list[OrderEvent])

encode = _encoder.encode
decode_request = _requests.decode
decode_events = _events.decode
