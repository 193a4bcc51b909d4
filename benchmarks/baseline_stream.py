"""The baselines' connection: websockets' asyncio client with the desk's codec and handshake."""

import time
from collections.abc import AsyncIterator

from websockets.asyncio.client import connect

from desk.model.block_rows import BlockFeedCounts
from desk.model.ticks import Event
from desk.venues.alpaca.market.protocol import AlpacaProtocol


async def ticks_of(url: str) -> AsyncIterator[list[Event]]:
    """Yield each message's ticks until the venue closes the connection."""
    protocol = AlpacaProtocol(
        "local", "local", place="baseline", channels=frozenset({"trades"}), counts=BlockFeedCounts()
    )
    protocol.subscribe(["*"])
    protocol.connected()
    async with connect(url, additional_headers=protocol.headers, compression=None, max_size=None) as socket:
        async for message in socket:
            assert isinstance(message, bytes)
            protocol.receive(message, time.time_ns())
            for data in protocol.data_to_send():
                await socket.send(data)
            ticks, protocol.ticks = protocol.ticks, []
            if ticks:
                yield ticks
