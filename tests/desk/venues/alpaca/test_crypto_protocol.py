"""The dialogue of the crypto stream: that of the stock stream."""

from typing import Any

import msgspec
import pytest
from test_crypto_codec import BOOK, QUOTE, TRADE, stamp

from desk.model.block_rows import BlockFeedCounts
from desk.venues.alpaca.crypto.protocol import CryptoProtocol
from desk.venues.timestamps import rfc3339_ns


def dialogue(channels: set[str], answer: dict[str, Any]) -> tuple[CryptoProtocol, dict[str, Any]]:
    protocol = CryptoProtocol("k", "s", place="venue", channels=frozenset(channels), counts=BlockFeedCounts())
    protocol.subscribe(["BTC/USD"])
    protocol.connected()

    def say(*messages: dict[str, Any]) -> None:
        dressed = [{**m, "t": stamp(rfc3339_ns(m["t"]))} if "t" in m else m for m in messages]
        protocol.receive(msgspec.msgpack.encode(dressed), 1)

    say({"T": "success", "msg": "connected"})
    protocol.data_to_send()
    say({"T": "success", "msg": "authenticated"})
    (request,) = protocol.data_to_send()
    say({"T": "subscription", "trades": ["BTC/USD"], **answer})
    protocol.data_to_send()
    say(TRADE, QUOTE, BOOK)
    return protocol, msgspec.msgpack.decode(request)


@pytest.mark.parametrize("channel", ["quotes", "orderbooks"])
def test_quotes_come_from_the_channel_that_the_plan_names(channel: str) -> None:
    protocol, request = dialogue({"trades", channel}, {channel: ["BTC/USD"]})

    assert request == {"action": "subscribe", "trades": ["BTC/USD"], channel: ["BTC/USD"]}
    assert protocol.settled
    assert protocol.refused == {}
    assert "BTC/USD" in {tick.symbol for tick in protocol.ticks}


def test_a_channel_that_is_not_granted_is_refused() -> None:
    protocol, _ = dialogue({"trades", "orderbooks"}, {"orderbooks": []})

    assert not protocol.settled
