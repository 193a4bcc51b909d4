"""The venue plays a tape's corrections and cancels, and the desk's codec reads them from the socket."""

from pathlib import Path
from typing import Any

import pytest
from venue_parts import deadlined, reader, venue
from websockets.asyncio.client import connect

from desk.local_venue.venue_settings import PlaySettings
from desk.model.block_rows import BlockFeedCounts
from desk.model.ticks import Cancel, Correction, Quote, Tick, Trade
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.tape.reader import TapeSource
from desk.tape.writer import TapeWriter
from desk.venues.alpaca.market.codec import Codec

AT_NS = 1_700_000_040 * SECOND_NS
U64 = 2**64 - 1


def at(seconds: float) -> int:
    return AT_NS + round(seconds * SECOND_NS)


TICKS: list[Tick] = [
    Trade(1, "AAA", at(1), at(1), 10.5, 20.0, "@", "Q", U64, "C"),
    Correction(2, "AAA", at(2), at(2), U64, 10.25, 2.0, "I", "Q", U64 - 1, "C", 10.5, 20.0, "@"),
    Quote(3, "AAA", at(3), at(3), 9.0, 1.0, 11.0, 1.0, "Q", "R"),
    Cancel(4, "AAA", at(4), at(4), U64 - 1, "Q", "C", 10.25, 2.0),
    Trade(5, "BBB", at(5), at(5), 10.5, 20.0, "@", "Q", 0, "A"),
    Cancel(6, "BBB", at(6), at(6), 12, "Q", "A", 1.0, 2.0),
]


@pytest.fixture
def tape(tmp_path: Path) -> TapeSource:
    return a_tape(tmp_path, TICKS)


def a_tape(folder: Path, ticks: list[Tick]) -> TapeSource:
    with TapeWriter(folder / "day.parquet") as writer:
        writer.write_ticks(ticks)
    return TapeSource(folder / "day.parquet")


def plain(ticks: list[Tick]) -> list[tuple[Any, ...]]:
    """All but ordinal and the time of receipt."""
    return [(type(tick), *(getattr(tick, name) for name in tick.__struct_fields__[4:]), tick.ts_ns) for tick in ticks]


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
@pytest.mark.parametrize("single", [False, True], ids=["1ms", "single"])
def test_what_the_tape_holds_comes_off_the_socket(tape: TapeSource, encoding: Any, single: bool) -> None:
    async def scenario() -> None:
        codec, ticks = Codec(encoding, "venue", counts := BlockFeedCounts()), list[Tick]()
        headers = {"Content-Type": "application/msgpack"} if encoding == "msgpack" else {}
        async with venue(tape, PlaySettings(speed=None, single=single)) as server:
            url = f"ws://127.0.0.1:{server.port}/v2/sip"
            async with connect(url, additional_headers=headers) as connection:

                async def hear() -> None:
                    message = await connection.recv()
                    codec.decode(message.encode() if isinstance(message, str) else message, 0, ticks)

                async def say(request: dict[str, Any]) -> None:
                    data = codec.encode(request)
                    await connection.send(data.decode() if encoding == "json" else data)

                await hear()
                await say({"action": "auth", "key": "k", "secret": "s"})
                await hear()
                await say({"action": "subscribe", "trades": ["AAA"], "quotes": ["AAA"]})
                while len(ticks) < 4:
                    await hear()
        assert plain(ticks) == plain(TICKS[:4])
        assert counts.received == {"trades": 3, "quotes": 1, "notices": 0}
        assert (codec.ignored, counts.rejected["trades"]) == ({}, {})

    deadlined(scenario())


def test_the_acknowledgement_lists_what_follows_the_trades(tape: TapeSource) -> None:
    async def scenario() -> None:
        async with venue(tape, PlaySettings(speed=None)) as server, reader(server) as client:
            answer = await client.ask({"action": "subscribe", "trades": ["AAA", "BBB"]})
            assert answer["corrections"] == answer["cancelErrors"] == ["AAA", "BBB"]
            messages = await client.events(5)
            assert [message["T"] for message in messages] == ["t", "c", "x", "t", "x"]

    deadlined(scenario())


def test_a_loop_has_fresh_ids_and_no_corrections_that_could_not_find_theirs(tape: TapeSource) -> None:
    async def scenario() -> None:
        async with venue(tape, PlaySettings(speed=None, loop=True)) as server, reader(server) as client:
            await client.ask({"action": "subscribe", "trades": ["*"]})
            messages = await client.events(6)
            assert {message["T"] for message in messages} == {"t"}
            assert len({message["i"] for message in messages}) == len(messages)

    deadlined(scenario())


def test_minute_bars_of_the_venue_leave_out_what_came_again_or_was_cancelled(tmp_path: Path) -> None:
    first = AT_NS - AT_NS % MINUTE_NS + MINUTE_NS

    def trade(ordinal: int, seconds: float, price: float, trade_id: int) -> Trade:
        ts_ns = first + round(seconds * SECOND_NS)
        return Trade(ordinal, "AAA", ts_ns, ts_ns, price, 10.0, "", "Q", trade_id, "C")

    cancelled_ns = first + 4 * SECOND_NS
    source = a_tape(
        tmp_path,
        [
            trade(1, -1, 5.0, 1),
            *(trade(number, 1, 10.0, 2) for number in (2, 3)),
            trade(4, 2, 1000.0, 3),
            Cancel(5, "AAA", cancelled_ns, cancelled_ns, 3, "Q", "C"),
            trade(6, 62, 5.0, 4),
        ],
    )

    async def scenario() -> None:
        async with venue(source, PlaySettings(speed=None)) as server, reader(server) as client:
            await client.ask({"action": "subscribe", "bars": ["*"]})
            (bar,) = await client.events(1)
            assert (bar["h"], bar["v"], bar["n"]) == (10.0, 10, 1)

    deadlined(scenario())
