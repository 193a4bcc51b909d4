"""The generic JSON feed: one object per tick, with the day's volume and the last price."""

import json
from typing import Any

import pytest
from venue_parts import Message, deadlined, expected, market, venue
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from desk.bars.sale_conditions import eligibility
from desk.local_venue.json.json_protocol import JsonServerProtocol
from desk.local_venue.rest.query import read_time
from desk.local_venue.venue_settings import AccessRules, PlaySettings
from desk.model.blocks import BlockSource

SUBSCRIBE = {"method": "subscribe", "params": {"symbols": ["*"]}, "id": 1}


async def ask(client: ClientConnection, request: object) -> Any:
    await client.send(json.dumps(request))
    return json.loads(await client.recv())


def wanted_ticks(source: BlockSource) -> list[Message]:
    """A tick for each quote: with the volume and the last price of the trades before it."""
    volume: dict[str, float] = {}
    last: dict[str, float] = {}
    ticks = []
    for message in expected(source):
        symbol = message["S"]
        if message["T"] == "t":
            sets = eligibility("".join(message["c"]))
            volume[symbol] = volume.get(symbol, 0.0) + message["s"] * sets.volume
            if sets.open_close:
                last[symbol] = message["p"]
            continue
        ticks.append(
            {
                "symbol": symbol,
                "bid": message["bp"],
                "bid_size": message["bs"],
                "ask": message["ap"],
                "ask_size": message["as"],
                "last": last.get(symbol),
                "volume": volume.get(symbol, 0.0),
                "timestamp": message["t"],
            }
        )
    return ticks


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "deflate"])
@pytest.mark.parametrize("loop", [False, True], ids=["once", "loop"])
def test_every_quote_is_a_tick_in_a_frame_of_its_own(compress: bool, loop: bool) -> None:
    source = market(events_per_s=400.0)
    wanted = wanted_ticks(source)

    async def scenario() -> None:
        async with (
            venue(source, PlaySettings(speed=None, loop=loop), compress=compress) as server,
            connect(f"ws://127.0.0.1:{server.port}/json", max_queue=None) as client,
        ):
            answer = await ask(client, SUBSCRIBE)
            ticks = [json.loads(await client.recv()) for _ in range(len(wanted) * (1 + loop))]
        assert answer == {"id": 1, "result": {"symbols": ["*"]}}
        for tick in ticks:
            tick["timestamp"] = read_time(tick["timestamp"])
        assert ticks[: len(wanted)] == wanted
        assert ticks[len(wanted) :] == wanted * loop

    deadlined(scenario())


def test_only_subscribed_symbols_come_and_pings_are_answered() -> None:
    source = market()
    symbol = wanted_ticks(source)[0]["symbol"]
    count = sum(tick["symbol"] == symbol for tick in wanted_ticks(source))

    async def scenario() -> None:
        async with venue(source) as server, connect(f"ws://127.0.0.1:{server.port}/json") as client:
            assert await ask(client, {"method": "ping", "id": 7}) == {"id": 7, "method": "pong"}
            await (await client.ping())
            await ask(client, {"method": "subscribe", "params": {"symbols": [symbol]}, "id": 1})
            assert {json.loads(await client.recv())["symbol"] for _ in range(count)} == {symbol}

    deadlined(scenario())


def test_the_key_stands_in_a_header_and_places_are_limited() -> None:
    async def scenario() -> None:
        async with venue(rules=AccessRules(key="right")) as server:
            url = f"ws://127.0.0.1:{server.port}/json"
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, additional_headers={"X-API-Key": "wrong"})
            assert refused.value.response.status_code == 401
            headers = {"X-API-Key": "right"}
            async with connect(url, additional_headers=headers) as first:
                await ask(first, {"method": "ping"})
                async with connect(url, additional_headers=headers) as second:
                    assert json.loads(await second.recv())["error"]["code"] == 406
                    with pytest.raises(ConnectionClosed):
                        await second.recv()

    deadlined(scenario())


@pytest.mark.parametrize(
    "message", ["", "[]", '{"method": []}', '{"method": "subscribe", "params": {"symbols": "A"}}', b"\xff"]
)
def test_messages_that_cannot_be_read_are_errors(message: str | bytes) -> None:
    protocol = JsonServerProtocol(AccessRules(), "/json", lambda: True)

    reply = protocol.receive(message)

    assert (json.loads(reply.data)["error"]["code"], reply.ends) == (400, False)


def test_unsubscribed_symbols_leave() -> None:
    protocol = JsonServerProtocol(AccessRules(), "/json", lambda: True)
    protocol.receive('{"method": "subscribe", "params": {"symbols": ["A", "B"]}, "id": 1}')

    reply = protocol.receive('{"method": "unsubscribe", "params": {"symbols": ["A"]}, "id": 2}')

    assert json.loads(reply.data) == {"id": 2, "result": {"symbols": ["B"]}}
