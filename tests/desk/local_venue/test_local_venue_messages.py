from itertools import pairwise

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue_parts import bare, block_messages, decoded

from desk.local_venue.column_encoders import FIRST_FRESH_ID, JSON, MSGPACK, Wire
from desk.local_venue.messages import MessageTemplates, encode, frame_header
from desk.local_venue.stock_layout import STOCKS
from desk.model.blocks import QUOTE, TRADE, Block

SYMBOLS = ("A", "BRK.B", "SPY", 'Q"Ä', "LONGERNAME")
CONDITIONS = ("@", "", " FTI", "F", "4")

prices = st.floats(0.0001, 1e6) | st.sampled_from((0.01, 171.0, 1e-7, 123456789.25))
rows = st.tuples(
    st.sampled_from((TRADE, QUOTE)), st.integers(0, 4), prices, prices, st.integers(-1, 4),
    st.integers(-1, 1), st.integers(1, 4 * 10**18), st.integers(1, 2**62),
)  # fmt: skip
wires = pytest.mark.parametrize("wire", [JSON, MSGPACK], ids=["json", "msgpack"])


def block_of(drawn: list[tuple[int, int, float, float, int, int, int, int]]) -> Block:
    kind, symbol, price, size, conditions, exchange, ts_ns, trade_id = (
        np.array(column) for column in zip(*drawn, strict=True)
    )
    return Block(
        first_ordinal=0, recv_ns=ts_ns, ts_ns=ts_ns, kind=kind.astype(np.int8), symbol=symbol, price=price, size=size,
        bid=price, bid_size=size, ask=size, ask_size=price, exchange=exchange, conditions=conditions,
        trade_id=trade_id, symbols=SYMBOLS, exchanges=("V", "XNAS"), condition_codes=CONDITIONS,
    )  # fmt: skip


def bodies(templates: MessageTemplates) -> list[bytes]:
    edges = templates.edges.tolist()
    return [templates.buffer[a:b].tobytes() for a, b in pairwise(edges)]


def as_frame(wire: Wire, messages: list[bytes]) -> str | bytes:
    body = b"".join(messages)
    frame = wire.array_open(len(messages)) + body[: len(body) - len(wire.separator)] + wire.array_close
    return frame.decode() if wire is JSON else frame


@wires
@given(drawn=st.lists(rows, min_size=1, max_size=20))
def test_templates_say_what_the_events_say(
    wire: Wire, drawn: list[tuple[int, int, float, float, int, int, int, int]]
) -> None:
    block = block_of(drawn)

    templates = encode(block, wire, framed=False, fresh_ids=False, layout=STOCKS)
    templates.stamp(block.ts_ns)

    messages = decoded(as_frame(wire, bodies(templates)))
    assert bare(messages) == block_messages(block)
    trades = block.kind == TRADE
    assert [message["i"] for message in messages if message["T"] == "t"] == block.trade_id[trades].tolist()
    assert {message["z"] for message in messages} <= {"A", "C"}


@wires
@given(drawn=st.lists(rows, min_size=1, max_size=5))
def test_every_framed_template_is_a_whole_frame(
    wire: Wire, drawn: list[tuple[int, int, float, float, int, int, int, int]]
) -> None:
    block = block_of(drawn)

    templates = encode(block, wire, framed=True, fresh_ids=True, layout=STOCKS)
    templates.stamp(block.ts_ns)
    templates.number(FIRST_FRESH_ID + np.flatnonzero(block.kind == TRADE))

    messages = []
    for frame in bodies(templates):
        header = 2 if frame[1] < 126 else 4
        payload = frame[header:]
        assert frame[:header] == frame_header(wire.opcode, len(payload))
        messages += decoded(payload.decode() if wire is JSON else payload)
    assert bare(messages) == block_messages(block)


@wires
def test_rewriting_times_and_ids_changes_nothing_else(wire: Wire) -> None:
    block = block_of([(TRADE, 2, 171.25, 100.0, 0, 0, 10**18, 1), (QUOTE, 1, 1.5, 2.0, -1, 1, 10**18, 0)] * 3)
    templates = encode(block, wire, framed=False, fresh_ids=True, layout=STOCKS)

    rounds = []
    for number in (1, 2):
        templates.stamp(block.ts_ns + number)
        templates.number(FIRST_FRESH_ID + number * np.arange(3))
        rounds.append(decoded(as_frame(wire, bodies(templates))))

    first, second = rounds
    assert [message["t"] - 1 for message in second] == [message["t"] for message in first]
    assert [message["i"] for message in second if "i" in message] == [
        FIRST_FRESH_ID,
        FIRST_FRESH_ID + 2,
        FIRST_FRESH_ID + 4,
    ]
    for message in (*first, *second):
        del message["t"]
        message.pop("i", None)
    assert first == second


@pytest.mark.parametrize("count", [0, 1, 15, 16, 65_535, 65_536])
def test_messagepack_arrays_open_as_the_format_says(count: int) -> None:
    assert MSGPACK.array_open(count) == msgpack.Packer().pack_array_header(count)


@pytest.mark.parametrize(("size", "header"), [
    (125, b"\x82\x7d"), (126, b"\x82\x7e\x00\x7e"), (65_535, b"\x82\x7e\xff\xff"),
    (65_536, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
])  # fmt: skip
def test_frame_headers_are_those_of_rfc_6455(size: int, header: bytes) -> None:
    assert frame_header(2, size) == header
