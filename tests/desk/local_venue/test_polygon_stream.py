"""Polygon's stream: read by a plain loop, and by the client `massive`, unmodified."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from massive import WebSocketClient
from massive.exceptions import AuthError
from venue_parts import Message, deadlined, expected, market, venue
from websockets.asyncio.client import ClientConnection, connect

from desk.bars.sale_conditions import eligibility
from desk.feeds.synthetic.market import SyntheticConfig, SyntheticMarket
from desk.local_venue.polygon.codes import CONDITIONS, EXCHANGES, TAPES, condition_numbers
from desk.local_venue.polygon.polygon_layout import POLYGON_JSON
from desk.local_venue.server import VenueServer
from desk.local_venue.venue_settings import AccessRules, PlaySettings
from desk.model.units import MS_NS, SECOND_NS

START_NS = 1_767_623_400 * SECOND_NS
HALT = """
[[faults]]
kind = "halt"
symbols = ["{symbol}"]
at = 1
for_s = 1
"""


@asynccontextmanager
async def polygon(server: VenueServer, key: str = "k") -> AsyncIterator[ClientConnection]:
    """A plain client, authenticated."""
    async with connect(f"ws://127.0.0.1:{server.port}/stocks", max_queue=None) as client:
        assert json.loads(await client.recv())[0]["status"] == "connected"
        await client.send(json.dumps({"action": "auth", "params": key}))
        assert json.loads(await client.recv())[0]["status"] == "auth_success"
        yield client


async def subscribed(client: ClientConnection, *topics: str) -> list[Message]:
    await client.send(json.dumps({"action": "subscribe", "params": ",".join(topics)}))
    answer: list[Message] = json.loads(await client.recv())
    return answer


async def events(client: ClientConnection, count: int) -> list[Message]:
    got: list[Message] = []
    while len(got) < count:
        got += json.loads(await client.recv())
    return got


def as_polygon(message: Message) -> Message:
    """A message of Alpaca's stream as Polygon writes it, without what the venue adds."""
    common = {"sym": message["S"], "t": message["t"] // MS_NS}
    if message["T"] == "t":
        numbers = condition_numbers("".join(message["c"]))
        return {"ev": "T", **common, "x": EXCHANGES[message["x"]], "c": numbers, "p": message["p"], "s": message["s"]}
    exchange = EXCHANGES[message["bx"]]
    sides = {"bx": exchange, "bp": message["bp"], "bs": message["bs"], "ax": exchange, "ap": message["ap"]}
    return {"ev": "Q", **common, **sides, "as": message["as"], "c": 0}


def bare(messages: list[Message]) -> list[Message]:
    return [{key: value for key, value in message.items() if key not in {"i", "q", "z"}} for message in messages]


@pytest.mark.parametrize("single", [False, True], ids=["1ms", "single"])
@pytest.mark.parametrize("compress", [False, True], ids=["plain", "deflate"])
def test_the_stream_has_every_event_in_order_with_numbers_and_milliseconds(single: bool, compress: bool) -> None:
    source = market()
    wanted = [as_polygon(message) for message in expected(source)]
    play = PlaySettings(speed=None, single=single)

    async def scenario() -> None:
        async with venue(source, play, compress=compress) as server, polygon(server) as client:
            assert len(await subscribed(client, "T.*", "Q.*")) == 2
            got = await events(client, len(wanted))
        assert bare(got) == wanted
        assert {type(message["i"]) for message in got if message["ev"] == "T"} == {str}
        assert {message["z"] for message in got} <= {*TAPES.values()}

    deadlined(scenario())


def test_ids_are_those_of_alpaca_s_stream_of_the_same_play() -> None:
    from venue_parts import reader  # noqa: PLC0415

    source = market()

    async def scenario() -> None:
        play = PlaySettings(speed=None, wait_clients=2)
        async with venue(source, play) as server, polygon(server) as client, reader(server) as alpaca:
            await subscribed(client, "T.*")
            await alpaca.ask({"action": "subscribe", "trades": ["*"]})
            count = sum(message["T"] == "t" for message in expected(source))
            ours, theirs = await asyncio.gather(events(client, count), alpaca.events(count))
        assert [int(message["i"]) for message in ours] == [message["i"] for message in theirs]

    deadlined(scenario())


def test_minutes_and_seconds_are_folds_of_the_trades() -> None:
    source = SyntheticMarket(SyntheticConfig(3, 4, 60.0, START_NS, 190))
    rows: dict[tuple[str, int, int], list[Message]] = defaultdict(list)
    late: set[tuple[str, int, int]] = set()
    received = [time for block in source.blocks() for time in block.recv_ns.tolist()]
    for message, recv_ns in zip(expected(source), received, strict=True):
        if message["T"] == "t" and eligibility("".join(message["c"])).volume:
            for length in (1000, 60_000):
                bar_of = (message["S"], length, message["t"] // MS_NS // length * length)
                rows[bar_of].append(message)
                if recv_ns // MS_NS >= bar_of[2] + length:
                    late.add(bar_of)

    async def scenario() -> None:
        async with venue(source, PlaySettings(speed=None)) as server, polygon(server) as client:
            await subscribed(client, "A.*", "AM.*")
            got: list[Message] = []
            while sum(message["ev"] == "AM" for message in got) < 8:
                got += json.loads(await client.recv())
        in_time = [bar for bar in got if (bar["sym"], bar["e"] - bar["s"], bar["s"]) not in late]
        assert len(in_time) > 100
        assert {bar["ev"] for bar in in_time} == {"A", "AM"}
        for bar in in_time:
            trades = rows[bar["sym"], bar["e"] - bar["s"], bar["s"]]
            assert bar["e"] - bar["s"] == {"A": 1000, "AM": 60_000}[bar["ev"]]
            assert bar["v"] == pytest.approx(sum(trade["s"] for trade in trades))
            assert bar["vw"] == pytest.approx(sum(trade["p"] * trade["s"] for trade in trades) / bar["v"])
            ends = [trade["p"] for trade in sorted(trades, key=lambda trade: trade["t"])
                    if eligibility("".join(trade["c"])).open_close]  # fmt: skip
            assert (bar["o"], bar["c"]) == (ends[0], ends[-1])

    deadlined(scenario())


def test_halts_come_as_price_bands_with_indicators() -> None:
    source = market()
    symbol = source.symbols[0]

    async def scenario() -> None:
        faults = HALT.format(symbol=symbol)
        async with venue(source, PlaySettings(speed=None), faults=faults) as server, polygon(server) as client:
            await subscribed(client, "LULD.*")
            got = await events(client, 2)
        assert [(message["ev"], message["T"], message["i"]) for message in got] == [
            ("LULD", symbol, [17]), ("LULD", symbol, [18]),
        ]  # fmt: skip

    deadlined(scenario())


def test_the_client_massive_reads_trades_quotes_and_bars() -> None:
    source = SyntheticMarket(SyntheticConfig(3, 4, 60.0, START_NS, 70))
    wanted = expected(source)
    got: list[Any] = []

    async def scenario() -> None:
        async with venue(source, PlaySettings(speed=None)) as server:
            client = WebSocketClient(
                "k",
                feed=f"127.0.0.1:{server.port}",
                secure=False,
                subscriptions=["T.*", "Q.*", "A.*"],
                max_reconnects=0,
            )
            done = asyncio.Event()

            async def take(messages: list[Any]) -> None:
                got.extend(messages)
                if sum(one.event_type in {"T", "Q"} for one in got) == len(wanted):
                    done.set()

            reading = asyncio.create_task(client.connect(take))
            await done.wait()
            await client.close()
            reading.cancel()
            await asyncio.wait([reading])

    deadlined(scenario())

    trades = [one for one in got if one.event_type == "T"]
    quotes = [one for one in got if one.event_type == "Q"]
    seconds = [one for one in got if one.event_type == "A"]
    assert [(one.symbol, one.price, one.size, one.timestamp) for one in trades] == [
        (message["S"], message["p"], message["s"], message["t"] // MS_NS) for message in wanted if message["T"] == "t"
    ]
    assert [(one.symbol, one.bid_price, one.ask_price, one.ask_size) for one in quotes] == [
        (message["S"], message["bp"], message["ap"], message["as"]) for message in wanted if message["T"] == "q"
    ]
    assert len(seconds) > 50
    assert all(one.high >= max(one.open, one.close) for one in seconds)


def test_the_client_massive_is_told_that_its_key_is_wrong() -> None:
    async def scenario() -> None:
        async with venue(rules=AccessRules(key="right")) as server:
            client = WebSocketClient("wrong", feed=f"127.0.0.1:{server.port}", secure=False, subscriptions=["T.*"])

            async def take(_messages: list[Any]) -> None:
                raise AssertionError("no message for a wrong key")

            with pytest.raises(AuthError, match="authentication failed"):
                await client.connect(take)

    deadlined(scenario())


def test_every_condition_letter_of_the_desk_but_two_has_a_number() -> None:
    from desk.bars.sale_conditions import CONDITIONS as LETTERS  # noqa: PLC0415

    assert LETTERS.keys() - CONDITIONS.keys() == set()
    assert condition_numbers("@FTI") == [14, 12, 37]
    assert POLYGON_JSON.opcode == 1
