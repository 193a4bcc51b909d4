"""The relay over real sockets, with a local venue as the venue."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

import pytest
from pydantic import SecretStr
from venue_parts import MSGPACK_HEADER, Message, Reader, deadlined, decoded, market, page, venue
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from desk.local_venue.relay import relay_server
from desk.local_venue.relay.relay_server import RelayServer, RelaySettings
from desk.local_venue.server import VenueServer
from desk.local_venue.venue_settings import MIB, AccessRules, PlaySettings
from desk.model.errors import CredentialsError

PLAY = PlaySettings(speed=None, rate_per_s=2_000.0, loop=True)
VENUE_RULES = AccessRules(key="of the venue", secret="likewise")
AUTH = {"action": "auth", "key": "of the relay", "secret": "any"}


class ImpatientRandom(Random):
    """Draws the shortest waits."""

    def random(self) -> float:
        return 0.0


@asynccontextmanager
async def relaying(port: int, *, key: str = "of the venue", buffer_bytes: int = 64 * MIB) -> AsyncIterator[RelayServer]:
    settings = RelaySettings(f"ws://127.0.0.1:{port}/v2/iex", SecretStr(key), SecretStr("likewise"), "/v2/iex")
    rules = AccessRules(key="of the relay", connection_limit=None, buffer_bytes=buffer_bytes)
    async with RelayServer(settings, rules, rng=ImpatientRandom()) as relay:
        running = asyncio.create_task(relay.run())
        try:
            yield relay
            if running.done():
                await running
        finally:
            running.cancel()
            await asyncio.wait([running])


async def until(is_true: Callable[[], Any]) -> None:
    while not is_true():  # noqa: ASYNC110  the deadline is the test's
        await asyncio.sleep(0.002)


@asynccontextmanager
async def client_of(relay: RelayServer, binary: bool = False, **options: Any) -> AsyncIterator[Reader]:
    await until(lambda: relay.state == "up")
    headers = MSGPACK_HEADER if binary else None
    url = f"ws://127.0.0.1:{relay.port}/v2/iex"
    async with connect(url, additional_headers=headers, **{"max_queue": None, **options}) as connection:
        client = Reader(connection, binary)
        assert await client.recv() == [{"T": "success", "msg": "connected"}]
        assert await client.ask(AUTH) == {"T": "success", "msg": "authenticated"}
        yield client


async def data_of(client: Reader, count: int) -> list[Message]:
    messages: list[Message] = []
    while len(messages) < count:
        messages += [message for message in await client.recv() if message["T"] in {"t", "q", "b"}]
    return messages


async def answered(client: Reader, request: Message) -> Message:
    await client.send(request)
    while (frame := await client.recv())[0]["T"] not in {"subscription", "error"}:
        pass
    return frame[0]


def granted(server: VenueServer) -> dict[str, set[str]]:
    (client,) = server._registry.clients
    return {channel: set(client.protocol.subscription.symbols(channel)) for channel in ("trades", "quotes")}


def test_one_connection_serves_clients_of_both_encodings_what_each_subscribed() -> None:
    source = market()
    one, two, three = source.symbols[:3]

    async def scenario() -> None:
        async with (
            venue(source, PLAY, VENUE_RULES) as server,
            relaying(server.port) as relay,
            client_of(relay, binary=True) as first,
            client_of(relay, binary=False) as second,
        ):
            acknowledged = await answered(first, {"action": "subscribe", "trades": [one, two]})
            assert acknowledged["trades"] == [one, two]
            assert acknowledged["corrections"] == [one, two]
            acknowledged = await answered(second, {"action": "subscribe", "trades": [one], "quotes": [three]})
            assert (acknowledged["trades"], acknowledged["quotes"]) == ([one], [three])

            assert granted(server) == {"trades": {one, two}, "quotes": {three}}
            assert {(m["T"], m["S"]) for m in await data_of(first, 400)} == {("t", one), ("t", two)}
            assert {(m["T"], m["S"]) for m in await data_of(second, 400)} == {("t", one), ("q", three)}
            stats = await page(relay, "/stats")  # type: ignore[arg-type]
            assert stats["state"] == "up"
            assert stats["connections"] == 1
            assert stats["subscribed"] == {"trades": 2, "quotes": 1}
            assert [client["encoding"] for client in stats["clients"]] == ["msgpack", "json"]

    deadlined(scenario())


def test_messages_are_the_venue_s_to_the_last_digit() -> None:
    source = market(events_per_s=100.0)

    async def scenario() -> None:
        play = PlaySettings(speed=None, rate_per_s=500.0, mix="trades")
        async with (
            venue(source, play, VENUE_RULES) as server,
            relaying(server.port) as relay,
            client_of(relay, binary=True) as binary,
            client_of(relay) as text,
        ):
            for client in (binary, text):
                server._registry.changed.clear()
                await client.send({"action": "subscribe", "trades": ["*"]})
            one, other = [await data_of(client, 100) for client in (binary, text)]
            start = min(message["t"] for message in one)
            later = {message["t"] for message in one} & {message["t"] for message in other}

            assert start % 1_000
            assert later
            for at in later:
                assert [m for m in one if m["t"] == at] == [m for m in other if m["t"] == at]

    deadlined(scenario())


def test_what_no_client_wants_any_more_is_unsubscribed() -> None:
    source = market()
    one, two = source.symbols[:2]

    async def scenario() -> None:
        async with (
            venue(source, PLAY, VENUE_RULES) as server,
            relaying(server.port) as relay,
            client_of(relay) as first,
        ):
            await answered(first, {"action": "subscribe", "trades": [one, two]})
            async with client_of(relay) as second:
                await answered(second, {"action": "subscribe", "trades": [two], "quotes": ["*"]})
                await answered(first, {"action": "unsubscribe", "trades": [two]})
                assert granted(server) == {"trades": {one, two}, "quotes": {"*"}}
            await until(lambda: granted(server) == {"trades": {one}, "quotes": set()})

    deadlined(scenario())


def test_the_venue_s_refusal_is_the_client_s_answer() -> None:
    rules = AccessRules(key="of the venue", symbol_limit=2)

    async def scenario() -> None:
        async with (
            venue(play=PLAY, rules=rules) as server,
            relaying(server.port) as relay,
            client_of(relay) as first,
            client_of(relay) as second,
        ):
            await answered(first, {"action": "subscribe", "trades": ["A", "B"]})
            refused = await answered(second, {"action": "subscribe", "trades": ["C"]})
            within = await answered(second, {"action": "subscribe", "trades": ["A"]})

            assert (refused["T"], refused["code"]) == ("error", 405)
            assert within["trades"] == ["A"]

    deadlined(scenario())


def test_symbols_that_the_venue_does_not_grant_are_not_acknowledged() -> None:
    async def scenario() -> None:
        faults = '[[faults]]\nkind = "partial_subscription"\nsymbols = ["B"]'
        async with (
            venue(play=PLAY, rules=VENUE_RULES, faults=faults) as server,
            relaying(server.port) as relay,
            client_of(relay) as client,
        ):
            first = await answered(client, {"action": "subscribe", "trades": ["A", "B"]})
            again = await answered(client, {"action": "subscribe", "trades": ["B"]})

            assert first["trades"] == ["A"]
            assert again["trades"] == ["A", "B"]

    deadlined(scenario())


def test_long_lists_are_requested_in_parts() -> None:
    names = [f"S{number:04d}" for number in range(1_200)]

    async def scenario() -> None:
        async with (
            venue(play=PLAY, rules=VENUE_RULES) as server,
            relaying(server.port) as relay,
            client_of(relay) as client,
        ):
            answer = await answered(client, {"action": "subscribe", "trades": names, "quotes": names[:5]})

            assert set(answer["trades"]) == set(names)
            assert granted(server) == {"trades": set(names), "quotes": set(names[:5])}
            (upstream,) = server._registry.clients
            assert upstream.protocol.subscription.version == 3

    deadlined(scenario())


def test_the_relay_has_its_own_key() -> None:
    async def scenario() -> None:
        async with venue(play=PLAY, rules=VENUE_RULES) as server, relaying(server.port) as relay:
            await until(lambda: relay.state == "up")
            async with connect(f"ws://127.0.0.1:{relay.port}/v2/iex") as connection:
                client = Reader(connection, binary=False)
                await client.recv()
                answer = await client.ask({"action": "auth", "key": "of the venue", "secret": "likewise"})

                assert answer["code"] == 402
                with pytest.raises(ConnectionClosed):
                    await client.recv()

    deadlined(scenario())


def test_keys_that_the_venue_refuses_end_the_relay() -> None:
    async def scenario() -> None:
        async with venue(play=PLAY, rules=VENUE_RULES) as server:
            settings = RelaySettings(
                f"ws://127.0.0.1:{server.port}/v2/iex", SecretStr("wrong"), SecretStr("w"), "/v2/iex"
            )
            async with RelayServer(settings, AccessRules()) as relay:
                with pytest.raises(CredentialsError, match="402 auth failed") as caught:
                    await relay.run()
                assert "wrong" not in str(caught.value)

    deadlined(scenario())


def test_a_slow_client_gets_407_and_the_others_continue() -> None:
    async def scenario() -> None:
        play = PlaySettings(speed=None, rate_per_s=60_000.0, loop=True)
        async with (
            venue(market(duration_s=60), play, VENUE_RULES) as server,
            relaying(server.port, buffer_bytes=MIB) as relay,
            client_of(relay, binary=True) as quick,
            client_of(relay, binary=True, max_queue=1) as slow,
        ):
            await slow.send({"action": "subscribe", "trades": ["*"], "quotes": ["*"]})
            await answered(quick, {"action": "subscribe", "trades": ["*"], "quotes": ["*"]})
            while not relay.stats.dropped_clients:
                await quick.recv()
            messages: list[Message] = []
            with suppress(ConnectionClosed):
                while True:
                    messages = decoded(await slow.connection.recv())

            assert messages == [{"T": "error", "code": 407, "msg": "slow client"}]
            assert relay.state == "up"
            await data_of(quick, 1_000)

    deadlined(scenario())


@pytest.mark.parametrize("kind", ['kind = "disconnect"', 'kind = "cut"', 'kind = "error"\ncode = 407'])
def test_an_outage_of_the_venue_is_one_of_every_client(kind: str) -> None:
    async def scenario() -> None:
        faults = f"[[faults]]\n{kind}\nafter_events = 50"
        async with (
            venue(play=PLAY, rules=VENUE_RULES, faults=faults) as server,
            relaying(server.port) as relay,
            client_of(relay) as first,
            client_of(relay, binary=True) as second,
        ):
            await second.send({"action": "subscribe", "bars": ["*"]})
            await answered(first, {"action": "subscribe", "trades": ["*"]})
            for client in (first, second):
                with suppress(ConnectionClosed):
                    while True:
                        await client.recv()
                closed = client.connection.protocol.close_rcvd
                assert closed is not None
                assert closed.code == 1013
                assert closed.reason.startswith("relay: ")
            async with client_of(relay) as again:
                await again.send({"action": "subscribe", "trades": ["*"]})
                await data_of(again, 10)
            assert relay.stats.connections == 2

    deadlined(scenario())


def test_while_the_venue_is_not_connected_clients_are_refused_with_the_reason() -> None:
    async def scenario() -> None:
        async with venue() as server:
            gone = server.port
        async with relaying(gone) as relay:
            await until(lambda: relay.why)
            with pytest.raises(InvalidStatus) as caught:
                await connect(f"ws://127.0.0.1:{relay.port}/v2/iex").__aenter__()

            assert caught.value.response.status_code == 503
            assert b"the venue is not connected" in (caught.value.response.body or b"")

    deadlined(scenario())


def test_a_client_that_leaves_a_silent_venue_has_its_connection_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_server, "MUTE_NS", 10**8)

    async def scenario() -> None:
        faults = '[[faults]]\nkind = "mute"\nconnection = 1'
        async with venue(play=PLAY, rules=VENUE_RULES, faults=faults) as server, relaying(server.port) as relay:
            async with client_of(relay) as client:
                await answered(client, {"action": "subscribe", "trades": ["*"]})
                await until(lambda: relay_server.monotonic_ns() - relay._message_ns > 10**8)
            await until(lambda: relay.connections == 2)
            assert "nothing" in relay.why
            async with client_of(relay) as client:
                await client.send({"action": "subscribe", "trades": ["*"]})
                await data_of(client, 10)

    deadlined(scenario())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_alpaca_py_reads_the_relay() -> None:
    source = market()
    seen: set[str] = set()

    async def scenario() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from alpaca.data.live import StockDataStream  # noqa: PLC0415
        done = asyncio.Event()

        async def take(model: Any) -> None:
            seen.add(type(model).__name__)
            if len(seen) == 2:
                done.set()

        async with venue(source, PLAY, VENUE_RULES) as server, relaying(server.port) as relay:
            await until(lambda: relay.state == "up")
            stream = StockDataStream("of the relay", "any", url_override=f"ws://127.0.0.1:{relay.port}/v2/iex")
            stream.subscribe_trades(take, "*")
            stream.subscribe_quotes(take, *source.symbols)
            running = asyncio.create_task(stream._run_forever())
            await done.wait()
            await stream.stop_ws()
            await stream.close()
            running.cancel()
            await asyncio.wait([running])

    deadlined(scenario())

    assert seen == {"Trade", "Quote"}
