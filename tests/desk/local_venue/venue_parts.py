"""A small market, its messages by a plain loop, and clients that read them."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgpack
from websockets.asyncio.client import ClientConnection, connect

from desk.feeds.synthetic.market import SyntheticConfig, SyntheticMarket
from desk.local_venue.faults.fault_script import parse_faults
from desk.local_venue.server import VenueServer
from desk.local_venue.venue_settings import AccessRules, PlaySettings
from desk.model.blocks import TRADE, Block, BlockSource

START_NS = 1_767_623_400 * 1_000_000_000
PATIENCE_S = 20.0
MSGPACK_HEADER = {"Content-Type": "application/msgpack"}

Message = dict[str, Any]


def market(events_per_s: float = 200.0, duration_s: int = 3, symbols: int = 6) -> SyntheticMarket:
    return SyntheticMarket(SyntheticConfig(3, symbols, events_per_s, START_NS, duration_s))


def expected(source: BlockSource) -> list[Message]:
    """Every row as a message of Alpaca's stream: times in ns, without id and tape."""
    return [message for block in source.blocks() for message in block_messages(block)]


def block_messages(block: Block) -> list[Message]:
    return [_message(block, row) for row in range(len(block))]


def _message(block: Block, row: int) -> Message:
    exchange = (*block.exchanges, "")[block.exchange[row]]
    common = {"S": block.symbols[block.symbol[row]], "t": int(block.ts_ns[row])}
    if block.kind[row] == TRADE:
        conditions = list((*block.condition_codes, "")[block.conditions[row]])
        return {"T": "t", **common, "x": exchange, "p": block.price[row], "s": block.size[row], "c": conditions}
    bid = {"bx": exchange, "bp": block.bid[row], "bs": block.bid_size[row]}
    ask = {"ax": exchange, "ap": block.ask[row], "as": block.ask_size[row]}
    return {"T": "q", **common, **bid, **ask, "c": list((*block.condition_codes, "R")[block.conditions[row]])}


def decoded(frame: str | bytes) -> list[Message]:
    """A frame's messages, times in ns; MessagePack is read by another library than the one that wrote it."""
    messages: list[Message] = json.loads(frame) if isinstance(frame, str) else msgpack.unpackb(frame)
    for message in messages:
        if "t" in message:
            message["t"] = _ns(message["t"])
    return messages


def _ns(time: str | msgpack.Timestamp) -> int:
    if isinstance(time, msgpack.Timestamp):
        return int(time.to_unix_nano())
    if len(time) == len("2026-01-05T14:30:00Z"):  # the minute of a bar
        return int(datetime.fromisoformat(time).timestamp()) * 10**9
    assert (len(time), time[19], time[29]) == (30, ".", "Z")
    return int(datetime.fromisoformat(f"{time[:19]}+00:00").timestamp()) * 10**9 + int(time[20:29])


def bare(messages: list[Message]) -> list[Message]:
    """Without what the source does not say: the tape, and the ids that the venue gave."""
    return [{key: value for key, value in message.items() if key not in {"i", "z"}} for message in messages]


def deadlined(work: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine, and fail rather than wait for ever."""

    async def within() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await work

    asyncio.run(within())


@asynccontextmanager
async def venue(
    source: BlockSource | None = None,
    play: PlaySettings | None = None,
    rules: AccessRules | None = None,
    compress: bool = False,
    faults: str | None = None,
    **more: Any,
) -> AsyncIterator[VenueServer]:
    """A venue on a free port that plays, by default as fast as its clients read."""
    play = play or PlaySettings(speed=None)
    script = None if faults is None else parse_faults(faults, "faults.toml")
    async with VenueServer(
        source or market(), play, rules or AccessRules(), compress=compress, faults=script, **more
    ) as server:
        playing = asyncio.create_task(server.play())
        try:
            yield server
            if playing.done():
                await playing
        finally:
            playing.cancel()
            await asyncio.wait([playing])


class Reader:
    """A plain websockets client of the stream."""

    def __init__(self, connection: ClientConnection, binary: bool) -> None:
        self.connection = connection
        self._binary = binary

    async def recv(self) -> list[Message]:
        return decoded(await self.connection.recv())

    async def ask(self, request: object) -> Message:
        """Send a request; the answer, with no data before it."""
        await self.send(request)
        (answer,) = await self.recv()
        return answer

    async def send(self, request: object) -> None:
        await self.connection.send(msgpack.packb(request) if self._binary else json.dumps(request))

    async def events(self, count: int) -> list[Message]:
        messages: list[Message] = []
        while len(messages) < count:
            messages += await self.recv()
        return messages


@asynccontextmanager
async def reader(
    server: VenueServer, endpoint: str = "iex", binary: bool = False, auth: bool = True, **options: Any
) -> AsyncIterator[Reader]:
    """A client that was greeted and, with `auth`, let in."""
    url = f"ws://127.0.0.1:{server.port}/v2/{endpoint}"
    headers = MSGPACK_HEADER if binary else None
    async with connect(url, additional_headers=headers, max_queue=None, **options) as connection:
        client = Reader(connection, binary)
        assert await client.recv() == [{"T": "success", "msg": "connected"}]
        if auth:
            answer = await client.ask({"action": "auth", "key": "k", "secret": "s"})
            assert answer == {"T": "success", "msg": "authenticated"}
        yield client


async def page(server: VenueServer, path: str) -> Message:
    """A JSON page of the venue."""

    def get() -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}") as response:
            assert response.headers["Content-Type"] == "application/json"
            body: bytes = response.read()
            return body

    answer: Message = json.loads(await asyncio.to_thread(get))
    return answer
