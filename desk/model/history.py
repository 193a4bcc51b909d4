"""Questions about the market's past, and their answers.

Tests: tests/desk/history/test_history_server.py
"""

import msgspec

from desk.model.ticks import Trade


class TradesQuestion(msgspec.Struct, array_like=True, frozen=True, tag="trades"):
    """All trades of these symbols with venue times from `from_ns` to `to_ns`, which are whole minutes.

    `witness` is a later trade that the desk has received: a history that has it has everything before it. None: the
    desk has received none.
    """

    number: int
    symbols: list[str]
    from_ns: int
    to_ns: int
    witness: Trade | None = None


class TradesPart(msgspec.Struct, array_like=True, frozen=True):
    """The trades of one symbol in some whole minutes, encoded as in `Backfill`."""

    symbol: str
    from_ns: int
    to_ns: int
    trades: bytes


class TradesAnswer(msgspec.Struct, array_like=True, frozen=True, tag="trades"):
    """The answer to the question `number`: parts that cover all symbols and minutes, or why there are none."""

    number: int
    parts: list[TradesPart] = []
    why: str = ""


Question = TradesQuestion
Answer = TradesAnswer

_encoder = msgspec.msgpack.Encoder()
encode_question = _encoder.encode
encode_answer = _encoder.encode
decode_question = msgspec.msgpack.Decoder(Question).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode
