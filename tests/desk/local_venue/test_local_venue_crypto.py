"""The crypto stream, read by a plain client and by alpaca-py's CryptoDataStream."""

import asyncio
import json
import warnings
from typing import Any

import msgpack
import pytest
from venue_parts import PATIENCE_S, Message, deadlined, decoded, expected, market, venue
from websockets.asyncio.client import connect

from desk.local_venue.venue_settings import CRYPTO_ENDPOINT, PlaySettings

AUTH = {"action": "auth", "key": "k", "secret": "s"}


def crypto_message(stock: Message) -> Message:
    """A message of the crypto stream, without id and made-up taker side, from that of the stock stream."""
    keys = ("T", "S", "t", "p", "s") if stock["T"] == "t" else ("T", "S", "t", "bp", "bs", "ap", "as")
    return {key: stock[key] for key in keys}


def book(quote: Message) -> Message:
    sides = {"b": [{"p": quote["bp"], "s": quote["bs"]}], "a": [{"p": quote["ap"], "s": quote["as"]}]}
    return {"T": "o", "S": quote["S"], "t": quote["t"], **sides, "r": True}


@pytest.mark.parametrize("binary", [False, True], ids=["json", "msgpack"])
@pytest.mark.parametrize("single", [False, True], ids=["1ms", "single"])
def test_trades_quotes_and_books_are_those_of_the_source(binary: bool, single: bool) -> None:
    source = market()
    rows = expected(source)
    wanted = [crypto_message(row) for row in rows]
    books = [book(row) for row in rows if row["T"] == "q"]

    async def scenario() -> None:
        async with venue(source, PlaySettings(speed=None, single=single)) as server:
            headers = {"Content-Type": "application/msgpack"} if binary else None
            url = f"ws://127.0.0.1:{server.port}{CRYPTO_ENDPOINT}"
            async with connect(url, additional_headers=headers, max_queue=None) as client:
                encode = msgpack.packb if binary else json.dumps
                await client.recv()
                await client.send(encode(AUTH))
                await client.recv()
                channels = {"trades": ["*"], "quotes": ["*"], "orderbooks": list(source.symbols)}
                await client.send(encode({"action": "subscribe", **channels}))
                (answer,) = decoded(await client.recv())
                assert answer == {
                    "T": "subscription", **channels, "bars": [], "updatedBars": [], "dailyBars": [],
                }  # fmt: skip
                got: list[Message] = []
                while len(got) < len(wanted) + len(books):
                    got += decoded(await client.recv())

            assert [message for message in got if message["T"] == "o"] == books
            assert [
                {key: value for key, value in message.items() if key not in {"i", "tks"}}
                for message in got
                if message["T"] != "o"
            ] == wanted
            trades = [message for message in got if message["T"] == "t"]
            assert {message["tks"] for message in trades} == {"B", "S"}

    deadlined(scenario())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_alpaca_py_reads_trades_quotes_books_and_bars() -> None:
    source = market(events_per_s=12.0, duration_s=130)
    seen: dict[str, list[Any]] = {"Trade": [], "Quote": [], "Orderbook": [], "Bar": []}
    rows = expected(source)
    quotes = [row for row in rows if row["T"] == "q"]

    async def scenario() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from alpaca.data.live import CryptoDataStream  # noqa: PLC0415

        done = asyncio.Event()

        async def take(model: Any) -> None:
            seen[type(model).__name__].append(model)
            if len(seen["Trade"]) + len(seen["Quote"]) == len(rows) and len(seen["Orderbook"]) == len(quotes):
                done.set()

        async with venue(source, PlaySettings(speed=None)) as server:
            stream = CryptoDataStream("k", "s", url_override=f"ws://127.0.0.1:{server.port}{CRYPTO_ENDPOINT}")
            stream.subscribe_trades(take, "*")
            stream.subscribe_quotes(take, "*")
            stream.subscribe_orderbooks(take, "*")
            stream.subscribe_bars(take, "*")
            running = asyncio.create_task(stream._run_forever())
            await asyncio.wait_for(done.wait(), PATIENCE_S)
            await stream.stop_ws()
            await stream.close()
            running.cancel()
            await asyncio.wait([running])

    deadlined(scenario())

    assert [quote.bid_price for quote in seen["Quote"]] == [row["bp"] for row in quotes]
    assert [(b.bids[0].price, b.asks[0].size, b.reset) for b in seen["Orderbook"]] == [
        (row["bp"], row["as"], True) for row in quotes
    ]
    assert {bar.symbol for bar in seen["Bar"]} == set(source.symbols)
