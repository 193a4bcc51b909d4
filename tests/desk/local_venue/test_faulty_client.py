"""Fault scripts over real sockets: what a client of the venue sees."""

import asyncio
import json
import time
from typing import Any

import msgpack
import pytest
from venue_parts import Message, Reader, bare, deadlined, decoded, expected, market, page, reader, venue
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from desk.local_venue.venue_settings import AccessRules, PlaySettings

AUTH = {"action": "auth", "key": "k", "secret": "s"}
SUBSCRIBE_ALL = {"action": "subscribe", "trades": ["*"], "quotes": ["*"]}
MINUTE_NS = 60 * 10**9


async def read_on(client: Reader) -> list[Message]:
    """The messages until the connection ends; frames that cannot be decoded are left out."""
    messages: list[Message] = []
    try:
        while True:
            frame = await client.connection.recv()
            try:
                messages += decoded(frame)
            except (ValueError, TypeError, AttributeError, msgpack.UnpackException):
                messages.append({"T": "broken"})
    except ConnectionClosed:
        return messages


def text_of(message: Message) -> str:
    numbers = {key: float(value) for key, value in message.items() if key != "t" and isinstance(value, int | float)}
    return json.dumps({**message, **numbers}, sort_keys=True)


async def the_rest(server: Any, client: Reader) -> list[Message]:
    """The messages until the end of the play: those before the answer to a request that follows it."""
    while server.stats.state != "ended":  # noqa: ASYNC110
        await asyncio.sleep(0.001)  # polled: the play has no event of its end
    await client.send({"action": "unsubscribe", "trades": []})
    messages: list[Message] = []
    while (frame := await client.recv())[0]["T"] != "subscription":
        messages += frame
    return messages


async def injected(server: Any) -> dict[str, int]:
    return dict((await page(server, "/stats"))["faults"])


@pytest.mark.parametrize("step", ["greeting", "auth", "subscribe"])
@pytest.mark.parametrize("code", [402, 500])
def test_an_error_takes_the_place_of_an_answer(step: str, code: int) -> None:
    async def scenario() -> None:
        faults = f'[[faults]]\nkind = "error"\ncode = {code}\nstep = "{step}"'
        async with venue(faults=faults) as server:
            async with connect(f"ws://127.0.0.1:{server.port}/v2/iex") as connection:
                client = Reader(connection, binary=False)
                answers = [(await client.recv())[0]]
                requests = (AUTH, SUBSCRIBE_ALL)[: ("greeting", "auth", "subscribe").index(step)]
                answers += [await client.ask(request) for request in requests]
                assert [answer.get("code") for answer in answers] == [None] * (len(answers) - 1) + [code]
                if code == 402:
                    with pytest.raises(ConnectionClosed):
                        await client.recv()
            async with reader(server) as client:  # once
                assert (await client.ask(SUBSCRIBE_ALL))["T"] == "subscription"
            assert await injected(server) == {"error": 1}

    deadlined(scenario())


def test_a_request_is_not_answered_and_the_next_one_is() -> None:
    async def scenario() -> None:
        faults = '[[faults]]\nkind = "no_answer"\nstep = "subscribe"'
        async with venue(faults=faults) as server, reader(server) as client:
            await client.send({"action": "subscribe", "bars": ["A"]})
            answer = await client.ask({"action": "subscribe", "bars": ["B"]})

            assert answer["bars"] == ["B"]

    deadlined(scenario())


def test_a_part_of_a_subscription_is_granted_and_the_rest_when_asked_again() -> None:
    async def scenario() -> None:
        names = [f"S{number}" for number in range(100)]
        faults = '[[faults]]\nkind = "partial_subscription"\nshare = 0.4\n'
        async with venue(faults=faults) as server, reader(server) as client:
            first = await client.ask({"action": "subscribe", "trades": names})
            again = await client.ask({"action": "subscribe", "trades": names})

            assert 30 < len(first["trades"]) < 90
            assert set(again["trades"]) == set(names)

    deadlined(scenario())


@pytest.mark.parametrize("binary", [False, True], ids=["json", "msgpack"])
@pytest.mark.parametrize("single", [False, True], ids=["1ms", "single"])
@pytest.mark.parametrize("compress", [False, True], ids=["plain", "deflate"])
def test_late_reordered_and_repeated_events_all_arrive(binary: bool, single: bool, compress: bool) -> None:
    source = market()
    wanted = expected(source)

    async def scenario() -> None:
        faults = (
            '[[faults]]\nkind = "late"\nshare = 0.5\ndelay_s = 1\n[[faults]]\nkind = "reorder"\nshare = 0.5\n'
            '[[faults]]\nkind = "duplicate"\nshare = 0.5\n'
        )
        play = PlaySettings(speed=None, single=single)
        async with (
            venue(source, play, faults=faults, compress=compress) as server,
            reader(server, binary=binary) as client,
        ):
            await client.ask(SUBSCRIBE_ALL)
            messages = await the_rest(server, client)
            counts = await injected(server)

            got = list(map(text_of, bare(messages)))
            assert set(got) == set(map(text_of, wanted))
            assert len(got) == len(wanted) + counts["duplicate"]
            assert bare(messages) != wanted
            assert all(count > 20 for count in counts.values())

    deadlined(scenario())


def test_a_mute_symbol_is_silent_while_its_bars_go_on() -> None:
    source = market(events_per_s=40.0, duration_s=190)
    mute = source.symbols[0]

    async def scenario() -> None:
        faults = f'[[faults]]\nkind = "mute"\nsymbols = ["{mute}"]\nat = 50\nfor_s = 100'
        async with venue(source, faults=faults) as server, reader(server) as client:
            await client.ask({**SUBSCRIBE_ALL, "bars": ["*"]})
            messages = await the_rest(server, client)

            times = [message["t"] - source.start_ns for message in messages if message["S"] == mute]
            ticks = [m["t"] - source.start_ns for m in messages if m["S"] == mute and m["T"] in {"t", "q"}]
            assert not [at for at in ticks if 51 * 10**9 < at < 149 * 10**9]
            assert [at for at in ticks if at > 150 * 10**9]
            assert MINUTE_NS in [at // MINUTE_NS * MINUTE_NS for at in times]
            assert [m for m in messages if m["T"] == "b" and m["S"] == mute and m["t"] == source.start_ns + MINUTE_NS]
            assert {m["S"] for m in messages if m["T"] == "t"} == set(source.symbols)

    deadlined(scenario())


def test_a_mute_connection_gets_nothing_and_its_pings_are_answered() -> None:
    async def scenario() -> None:
        faults = '[[faults]]\nkind = "mute"\nconnection = 1'
        rules = AccessRules(connection_limit=2)
        play = PlaySettings(speed=None, wait_clients=2)
        async with (
            venue(play=play, rules=rules, faults=faults) as server,
            reader(server) as mute,
            reader(server) as other,
        ):
            await mute.ask({**SUBSCRIBE_ALL, "bars": ["*"]})
            await other.ask(SUBSCRIBE_ALL)
            assert await the_rest(server, other)

            await (await mute.connection.ping())
            stats = await page(server, "/stats")
            assert [client["sent"] for client in stats["clients"]] == [0, stats["offered"]]
            assert stats["faults"]["mute"] == stats["offered"]

    deadlined(scenario())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('kind = "cut"', None),
        ('kind = "disconnect"', 1011),
        ('kind = "disconnect"\ncode = 1006\nafter_events = 5', None),
    ],
)
def test_the_connection_ends_in_the_middle_of_the_data(text: str, code: int | None) -> None:
    source = market()

    async def scenario() -> None:
        async with venue(source, faults=f"[[faults]]\nat = 1\n{text}") as server:
            async with reader(server) as client:
                await client.ask(SUBSCRIBE_ALL)
                messages = await read_on(client)
                assert 0 < len(messages) < len(expected(source))
                closed = client.connection.protocol.close_rcvd
                assert (closed.code if closed else None) == code
            async with reader(server):  # its place is free
                pass

    deadlined(scenario())


@pytest.mark.parametrize("binary", [False, True], ids=["json", "msgpack"])
@pytest.mark.parametrize(
    "what", ["truncated", "not_utf8", "not_a_list", "unknown_kind", "wrong_type", "nested", "empty"]
)
def test_a_broken_frame_comes_between_the_data(what: str, binary: bool) -> None:
    source = market()

    async def scenario() -> None:
        faults = f'[[faults]]\nkind = "malformed"\nwhat = "{what}"\nat = 1'
        async with venue(source, faults=faults) as server, reader(server, binary=binary) as client:
            await client.ask(SUBSCRIBE_ALL)
            messages: list[Message] = []
            broken = 0
            count = len(expected(source))
            try:
                while len([m for m in messages if m.get("S") != "BROKEN"]) < count:
                    frame = await client.connection.recv(decode=False)
                    try:
                        messages += decoded(frame.decode() if not binary else frame)
                    except (ValueError, TypeError, AttributeError, RecursionError, msgpack.UnpackException):
                        broken += 1
            except ConnectionClosedError:
                broken += 1
            assert broken or [m for m in messages if m.get("S") == "BROKEN"]
            assert await injected(server) == {"malformed": 1}

    deadlined(scenario())


def test_a_frame_that_is_too_large_ends_the_connection_of_a_client_with_a_limit() -> None:
    async def scenario() -> None:
        faults = '[[faults]]\nkind = "oversized"\nmib = 2\nat = 1'
        async with venue(faults=faults) as server, reader(server, max_size=2**20) as client:
            await client.ask(SUBSCRIBE_ALL)
            await read_on(client)

            sent = client.connection.protocol.close_sent
            assert sent is not None
            assert sent.code == 1009

    deadlined(scenario())


def test_a_half_open_socket_keeps_its_place_until_it_is_reaped() -> None:
    async def scenario() -> None:
        faults = '[[faults]]\nkind = "half_open"\nat = 1\nreap_s = 30'  # at 60 times the speed
        play = PlaySettings(speed=60.0)
        async with venue(market(duration_s=60), play, faults=faults) as server:  # noqa: SIM117
            async with reader(server, close_timeout=0.05, ping_interval=None) as client:
                await client.ask(SUBSCRIBE_ALL)
                await client.events(1)
                while not (await injected(server))["half_open"]:
                    pass
                began_s = time.monotonic()
                ping = await client.connection.ping()
                async with reader(server, auth=False) as second:
                    assert (await second.ask(AUTH))["code"] == 406
                while True:
                    async with reader(server, auth=False) as third:
                        answer = await third.ask(AUTH)
                        if "code" not in answer:
                            break
                assert time.monotonic() - began_s > 0.3
                assert not ping.done() or ping.exception() is not None
                await read_on(client)

    deadlined(scenario())


def test_pings_are_not_answered_for_a_time() -> None:
    async def scenario() -> None:
        faults = '[[faults]]\nkind = "no_pong"\nat = 1\nfor_s = 1'
        play = PlaySettings(speed=None)
        async with venue(play=play, faults=faults) as server, reader(server, ping_interval=None) as client:
            await (await client.connection.ping())
            server._faults.reach(10**9)  # type: ignore[union-attr]
            lost = await client.connection.ping()
            await client.ask({"action": "fly"})
            server._faults.reach(2 * 10**9)  # type: ignore[union-attr]

            assert not lost.done()
            await (await client.connection.ping())
            assert await injected(server) == {"no_pong": 1}

    deadlined(scenario())


@pytest.mark.parametrize("binary", [False, True], ids=["json", "msgpack"])
def test_the_wrong_encoding_is_written(binary: bool) -> None:
    source = market()

    async def scenario() -> None:
        async with venue(source, faults='[[faults]]\nkind = "encoding"\nat = 1\nfor_s = 1') as server:  # noqa: SIM117
            async with reader(server, binary=binary) as client:
                await client.ask(SUBSCRIBE_ALL)
                frames = []
                messages: list[Message] = []
                while len(messages) < len(expected(source)):
                    frames.append(await client.connection.recv())
                    messages += decoded(frames[-1])

                assert bare(messages) == expected(source)
                kinds = [isinstance(frame, bytes) for frame in frames]
                assert kinds[0] is kinds[-1] is binary
                assert (not binary) in kinds

    deadlined(scenario())


def test_slow_clients_can_be_made_up() -> None:
    async def scenario() -> None:
        async with venue(faults='[[faults]]\nkind = "error"\ncode = 407\nat = 1') as server, reader(server) as client:
            await client.ask(SUBSCRIBE_ALL)
            messages = await read_on(client)

            assert messages[-1] == {"T": "error", "code": 407, "msg": "slow client"}
            assert (await page(server, "/stats"))["dropped_clients"] == 1

    deadlined(scenario())


@pytest.mark.parametrize("binary", [False, True], ids=["json", "msgpack"])
def test_statuses_and_price_bands_come_in_order_to_their_subscribers(binary: bool) -> None:
    source = market()
    one, other = source.symbols[:2]

    async def scenario() -> None:
        faults = (
            f'[[faults]]\nkind = "halt"\nsymbols = ["{one}", "{other}"]\nat = 1\nfor_s = 1\n'
            f'[[faults]]\nkind = "luld"\nsymbols = ["{one}"]\nat = 1.5\ndown = 2.5\nup = 3.5\n'
        )
        async with venue(source, faults=faults) as server, reader(server, binary=binary) as client:
            await client.ask({"action": "subscribe", "statuses": [one], "lulds": ["*"], "trades": ["*"]})
            messages = await the_rest(server, client)

            notices = [message for message in messages if message["T"] in {"s", "l"}]
            at = source.start_ns
            common = {"S": one, "z": "C"}
            reason = {"rc": "T1", "rm": "Halt - News Pending"}
            assert notices == [
                {"T": "s", **common, "sc": "H", "sm": "Trading Halt", **reason, "t": at + 10**9},
                {"T": "l", **common, "u": 3.5, "d": 2.5, "i": "B", "t": at + 15 * 10**8},
                {"T": "s", **common, "sc": "T", "sm": "Trading Resumption", **reason, "t": at + 2 * 10**9},
            ]
            during = {m["S"] for m in messages if m["T"] == "t" and 10**9 < m["t"] - at < 2 * 10**9}
            assert during
            assert not during & {one, other}

    deadlined(scenario())


def test_the_page_of_the_clock_is_skewed() -> None:
    async def scenario() -> None:
        source = market()
        async with venue(source, faults='[[faults]]\nkind = "clock_skew"\nms = 2500\nof = "clock"') as server:
            assert (await page(server, "/clock"))["session_ns"] == source.start_ns + 2_500_000_000

    deadlined(scenario())
