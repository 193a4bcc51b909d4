import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgpack
import pytest
from venue_parts import (
    MSGPACK_HEADER,
    PATIENCE_S,
    Message,
    bare,
    deadlined,
    decoded,
    expected,
    market,
    page,
    reader,
    venue,
)
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from desk.local_venue.server import VenueServer
from desk.local_venue.venue_settings import MIB, AccessRules, PlaySettings
from desk.model.blocks import Block
from desk.model.errors import BadInput
from desk.tape.reader import TapeSource

SUBSCRIBE_ALL = {"action": "subscribe", "trades": ["*"], "quotes": ["*"]}

encodings = pytest.mark.parametrize("binary", [False, True], ids=["json", "msgpack"])
framings = pytest.mark.parametrize("single", [False, True], ids=["1ms", "single"])


@encodings
@framings
@pytest.mark.parametrize("compress", [False, True], ids=["plain", "deflate"])
def test_a_client_of_everything_gets_every_event_in_order(binary: bool, single: bool, compress: bool) -> None:
    source = market()
    wanted = expected(source)

    async def scenario() -> None:
        play = PlaySettings(speed=None, single=single)
        async with venue(source, play, compress=compress) as server, reader(server, binary=binary) as client:
            answer = await client.ask(SUBSCRIBE_ALL)
            assert answer["trades"] == answer["quotes"] == ["*"]

            sizes, messages = [], []
            while len(messages) < len(wanted):
                frame = await client.recv()
                sizes.append(len(frame))
                messages += frame

            assert bare(messages) == wanted
            assert (max(sizes) == 1) is single
            assert bool(client.connection.protocol.extensions) is compress

    deadlined(scenario())


@encodings
@framings
def test_a_subset_is_filtered_and_follows_the_subscription(binary: bool, single: bool) -> None:
    source = market(symbols=3)
    busy, other = source.symbols[:2]
    wanted = [m for m in expected(source) if (m["T"], m["S"]) in {("t", busy), ("q", other)}]

    async def scenario() -> None:
        async with (
            venue(source, PlaySettings(speed=None, single=single)) as server,
            reader(server, binary=binary) as client,
        ):
            await client.ask({"action": "subscribe", "trades": [busy], "quotes": [other, "NOSUCH"]})

            messages = await client.events(len(wanted))

            assert bare(messages) == wanted

    deadlined(scenario())


def test_unsubscribing_ends_the_events_behind_the_acknowledgement() -> None:
    async def scenario() -> None:
        play = PlaySettings(speed=None, rate_per_s=2_000.0, loop=True)
        async with venue(play=play) as server, reader(server) as client:
            await client.send(SUBSCRIBE_ALL)
            await client.events(200)
            await client.send({"action": "unsubscribe", "trades": ["*"]})
            while (frame := await client.recv())[0]["T"] != "subscription":
                pass

            after = await client.events(50)

            assert (frame[0]["trades"], frame[0]["quotes"]) == ([], ["*"])
            assert {message["T"] for message in after} == {"q"}

    deadlined(scenario())


def test_a_tape_is_played_as_it_was(any_morning: Path) -> None:
    source = TapeSource(any_morning)
    first = next(source.blocks())

    async def scenario() -> None:
        play = PlaySettings(speed=None, limit=3_000)
        async with venue(source, play) as server, reader(server, binary=True) as client:
            await client.ask(SUBSCRIBE_ALL)

            messages = await client.events(3_000)

            assert [message["t"] for message in messages] == first.ts_ns[:3_000].tolist()
            assert [message["S"] for message in messages] == [first.symbols[symbol] for symbol in first.symbol[:3_000]]

    deadlined(scenario())


async def error_of(client: Any) -> Message:
    (message,) = await client.recv()
    return dict(message)


@pytest.mark.parametrize("binary", [False, True])
def test_a_client_that_does_not_authenticate_in_time_gets_an_error_and_is_closed(binary: bool) -> None:
    async def scenario() -> None:
        async with (
            venue(rules=AccessRules(auth_timeout_s=0.05)) as server,
            reader(server, binary=binary, auth=False) as client,
        ):
            assert (await error_of(client))["code"] == 404
            with pytest.raises(ConnectionClosed):
                await client.recv()

    deadlined(scenario())


def test_each_endpoint_has_its_places_and_gives_them_back() -> None:
    auth = {"action": "auth", "key": "k", "secret": "s"}

    async def scenario() -> None:
        async with venue() as server:
            async with reader(server, "iex"), reader(server, "sip"), reader(server, "iex", auth=False) as second:
                assert (await second.ask(auth))["code"] == 406
                with pytest.raises(ConnectionClosed):
                    await second.recv()
            async with reader(server, "iex"):
                pass

    deadlined(scenario())


def test_errors_that_can_heal_leave_the_connection_open() -> None:
    async def scenario() -> None:
        async with venue(rules=AccessRules(symbol_limit=1)) as server, reader(server, auth=False) as client:
            await client.connection.send("{")
            codes = [(await error_of(client))["code"], (await client.ask(SUBSCRIBE_ALL))["code"]]
            await client.ask({"action": "auth", "key": "k", "secret": "s"})
            codes.append((await client.ask(SUBSCRIBE_ALL))["code"])

            answer = await client.ask({"action": "subscribe", "bars": ["*"]})

            assert codes == [400, 401, 405]
            assert answer["bars"] == ["*"]

    deadlined(scenario())


def test_a_slow_client_gets_407_and_is_dropped_and_the_others_continue() -> None:
    async def scenario() -> None:
        play = PlaySettings(speed=None, rate_per_s=150_000.0, loop=True, wait_clients=2)
        rules = AccessRules(connection_limit=2, buffer_bytes=2 * MIB)
        async with venue(play=play, rules=rules) as server, reader(server) as quick:
            url = f"ws://127.0.0.1:{server.port}/v2/iex"
            async with connect(url, additional_headers=MSGPACK_HEADER, max_queue=1) as slow:
                await slow.recv()
                for request in ({"action": "auth", "key": "k", "secret": "s"}, SUBSCRIBE_ALL):
                    await slow.send(msgpack.packb(request))
                await quick.send(SUBSCRIBE_ALL)
                while not any(client.dropped for client in server._registry.clients):
                    await quick.recv()
                messages: list[Message] = []
                with suppress(ConnectionClosed):
                    while True:
                        messages = decoded(await slow.recv())

                assert messages == [{"T": "error", "code": 407, "msg": "slow client"}]
            before = server.stats.offered
            while server.stats.offered == before or not server.stats.dropped_clients:
                await quick.recv()

    deadlined(scenario())


def test_a_seed_gives_the_same_events_again() -> None:
    async def played(binary: bool) -> list[Message]:
        async with venue(play=PlaySettings(speed=None)) as server, reader(server, binary=binary) as client:
            await client.ask(SUBSCRIBE_ALL)
            return await client.events(500)

    async def scenario() -> None:
        assert await played(binary=False) == await played(binary=True)

    deadlined(scenario())


def test_a_loop_begins_again_with_ids_never_used_before() -> None:
    source = market()
    wanted = expected(source)
    count = len(wanted)

    async def scenario() -> None:
        async with venue(source, PlaySettings(speed=None, loop=True)) as server, reader(server) as client:
            await client.ask(SUBSCRIBE_ALL)

            messages = (await client.events(2 * count))[: 2 * count]

            ids = [message["i"] for message in messages if message["T"] == "t"]
            assert len(set(ids)) == len(ids)
            assert bare(messages[:count]) == bare(messages[count:]) == wanted
            assert (await page(server, "/stats"))["rounds"] >= 1

    deadlined(scenario())


def test_a_filtered_loop_has_fresh_times_and_ids_too() -> None:
    source = market(symbols=3)
    busy = source.symbols[0]
    count = sum(message["T"] == "t" and message["S"] == busy for message in expected(source))

    async def scenario() -> None:
        play = PlaySettings(speed=None, rate_per_s=50_000.0, restamp=True, loop=True)
        async with venue(source, play) as server, reader(server, binary=True) as client:
            await client.ask({"action": "subscribe", "trades": [busy]})

            trades = await client.events(3 * count)

            assert {trade["S"] for trade in trades} == {busy}
            assert len({trade["i"] for trade in trades}) == len(trades)
            assert [trade["t"] for trade in trades] == sorted(trade["t"] for trade in trades)

    deadlined(scenario())


@pytest.mark.parametrize("pace", [{"rate_per_s": 5_000.0}, {}, {"speed": 1.0}], ids=["rate", "max", "speed"])
def test_restamped_times_are_now(pace: dict[str, float]) -> None:
    async def scenario() -> None:
        play = PlaySettings(**{"speed": None, **pace}, restamp=True, mix="quotes")  # type: ignore[arg-type]
        before_ns = time.time_ns()
        async with venue(play=play) as server, reader(server, binary=True) as client:
            await client.ask(SUBSCRIBE_ALL)

            messages = await client.events(50)

            # A second before: an event keeps the lateness with which it was reported.
            assert all(before_ns - 10**9 <= message["t"] <= time.time_ns() for message in messages)

    deadlined(scenario())


def test_restamped_times_and_the_clock_stay_together_when_the_machine_s_clock_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = time.time_ns

    async def scenario() -> None:
        play = PlaySettings(speed=None, rate_per_s=5_000.0, restamp=True, mix="quotes", loop=True)
        async with venue(play=play) as server, reader(server, binary=True) as client:
            await client.ask(SUBSCRIBE_ALL)
            await client.events(1)
            monkeypatch.setattr(time, "time_ns", lambda: real() - 3_600 * 10**9)

            before_ns = (await page(server, "/clock"))["session_ns"]
            last_ns = before_ns
            while last_ns <= before_ns:  # events that were on their way when the clock was asked
                last_ns = (await client.events(1))[-1]["t"]
            after_ns = (await page(server, "/clock"))["session_ns"]

            assert abs(before_ns - real()) < PATIENCE_S * 1e9
            assert last_ns < after_ns

    deadlined(scenario())


def test_the_clock_waits_runs_with_the_tape_and_ends() -> None:
    source = market(duration_s=2)

    async def scenario() -> None:
        async with venue(source, PlaySettings(speed=50.0)) as server, reader(server) as client:
            waiting = await page(server, "/clock")
            await client.ask(SUBSCRIBE_ALL)
            await client.events(1)
            playing = await page(server, "/clock")
            while (ended := await page(server, "/clock"))["state"] != "ended":
                pass

            assert (waiting["state"], waiting["session_ns"]) == ("waiting", source.start_ns)
            assert playing["speed"] == 50.0
            assert source.start_ns < playing["session_ns"] <= ended["session_ns"] <= source.end_ns
            assert abs(ended["wall_ns"] - time.time_ns()) < PATIENCE_S * 1e9

    deadlined(scenario())


def test_the_statistics_count_what_was_offered_and_sent() -> None:
    source = market()
    messages = expected(source)
    trades = sum(message["T"] == "t" for message in messages)

    async def scenario() -> None:
        rules = AccessRules(connection_limit=2)
        async with (
            venue(source, PlaySettings(speed=None, wait_clients=2), rules) as server,
            reader(server) as everything,
            reader(server, binary=True) as some,
        ):
            await everything.ask(SUBSCRIBE_ALL)
            await some.send({"action": "subscribe", "trades": ["*"]})
            await some.recv()
            await everything.events(len(messages))
            await some.events(trades)

            stats = await page(server, "/stats")

            assert (stats["offered"], stats["sent"]) == (len(messages), len(messages) + trades)
            assert [(c["endpoint"], c["encoding"], c["sent"]) for c in stats["clients"]] == [
                ("/v2/iex", "json", len(messages)),
                ("/v2/iex", "msgpack", trades),
            ]

    deadlined(scenario())


def test_other_paths_are_not_found() -> None:
    async def scenario() -> None:
        async with venue() as server:
            with pytest.raises(InvalidStatus, match="404"):
                await connect(f"ws://127.0.0.1:{server.port}/v1/iex").__aenter__()

    deadlined(scenario())


def test_a_source_without_a_playable_event_is_refused() -> None:
    class Nothing:
        place, symbols, start_ns, end_ns = "an empty market", ("X",), 0, 1

        def blocks(self) -> Iterator[Block]:
            return iter(())

    async def scenario() -> None:
        async with VenueServer(Nothing(), PlaySettings(), AccessRules()) as server:
            with pytest.raises(BadInput, match="an empty market: no playable event"):
                await server.play()

    deadlined(scenario())
