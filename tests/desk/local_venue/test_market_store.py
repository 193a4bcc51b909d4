"""The market's past against what the stream sent: cut at the present, with the same ids, times and values."""

from pathlib import Path
from typing import Any

import pytest
from rest_parts import END, Asking, moment_at
from venue_parts import Message, deadlined, market, reader, venue

from desk.local_venue.play_moment import PlayMoment
from desk.local_venue.rest.market_store import MarketStore
from desk.local_venue.rest.query import read_time
from desk.local_venue.rest.rest_fault import RestFault
from desk.local_venue.venue_settings import PlaySettings
from desk.model.blocks import BlockSource
from desk.model.ticks import Cancel, Correction, Tick, Trade
from desk.model.units import SECOND_NS
from desk.tape.reader import TapeSource
from desk.tape.writer import TapeWriter

AT_NS = 1_700_000_040 * SECOND_NS
LONG_AGO, FAR_AHEAD = "1990-01-01", "2090-01-01"


def heard_and_kept(play: PlaySettings) -> tuple[list[Message], list[Message]]:
    """The trades of a JSON stream to its end, and the history's."""
    source, heard = market(events_per_s=400.0), list[Message]()
    moments: list[PlayMoment] = []
    sent = sum(len(block) for block in source.blocks()) if play.limit is None else play.limit

    async def scenario() -> None:
        async with venue(source, play) as server, reader(server) as client:
            await client.ask({"action": "subscribe", "trades": ["*"], "quotes": ["*"]})
            heard.extend(await client.events(sent))
            moments.append(server._player.moment())

    deadlined(scenario())
    return [message for message in heard if message["T"] == "t"], kept_trades(source, play, moments[0])


def kept_trades(source: BlockSource, play: PlaySettings, moment: PlayMoment) -> list[Message]:
    """The history's trades with their symbols, read in small pages."""
    names = ",".join(source.symbols)
    span = {"start": LONG_AGO, "end": FAR_AHEAD, "limit": 97}
    pages = Asking(source, play).pages("/v2/stocks/trades", moment, "trades", symbols=names, **span)
    return [{"S": name, **trade} for page in pages for name, trades in page.items() for trade in trades]


def in_order(messages: list[Message]) -> list[tuple[Any, ...]]:
    """By symbol and time: symbol, time, and the fields of a trade."""
    times = [message["t"] if isinstance(message["t"], int) else read_time(message["t"]) for message in messages]
    return sorted(
        (message["S"], time, message["i"], message["p"], message["s"], message["x"], message["c"], message["z"])
        for message, time in zip(messages, times, strict=True)
    )


@pytest.mark.parametrize(
    "play",
    [
        PlaySettings(speed=None),
        PlaySettings(speed=20.0),
        PlaySettings(speed=20.0, restamp=True),
        PlaySettings(speed=None, rate_per_s=20_000.0, restamp=True, seed=5),
        PlaySettings(speed=None, limit=700),
    ],
    ids=["max", "own times", "restamped", "restamped rate", "limited"],
)
def test_history_has_the_trades_of_the_stream_with_their_ids_and_times(play: PlaySettings) -> None:
    heard, kept = heard_and_kept(play)

    assert len(kept) > 100
    assert in_order(kept) == in_order(heard)


def test_a_later_round_of_a_looped_play_has_its_own_ids_and_times() -> None:
    play = PlaySettings(speed=50.0, restamp=True, loop=True)
    source, heard = market(events_per_s=200.0), list[Message]()
    moments: list[PlayMoment] = []
    round_events = sum(len(block) for block in source.blocks())

    async def scenario() -> None:
        async with venue(source, play) as server, reader(server) as client:
            await client.ask({"action": "subscribe", "trades": ["*"], "quotes": ["*"]})
            heard.extend(await client.events(2 * round_events + 50))
            moments.append(server._player.moment())
            heard.extend(await client.events(3 * round_events - len(heard)))

    deadlined(scenario())
    kept = sorted(in_order(kept_trades(source, play, moments[0])), key=lambda trade: trade[2])

    of_round = [message for message in heard[2 * round_events : 3 * round_events] if message["T"] == "t"]
    assert moments[0].rounds == 2
    assert 0 < len(kept) <= len(of_round)
    assert kept == sorted(in_order(of_round), key=lambda trade: trade[2])[: len(kept)]


def test_the_past_ends_at_the_present() -> None:
    source = market(events_per_s=400.0)
    half_ns = (source.start_ns + source.end_ns) // 2
    received = [
        int(time) for block in source.blocks() for time, kind in zip(block.recv_ns, block.kind, strict=True) if not kind
    ]

    kept = kept_trades(source, PlaySettings(), moment_at(half_ns))

    assert len(kept) == sum(time <= half_ns for time in received)
    assert kept_trades(source, PlaySettings(), moment_at(source.start_ns, state="waiting")) == []


def test_a_restamped_play_without_a_schedule_has_no_history() -> None:
    store = MarketStore(market(), play := PlaySettings(speed=None, restamp=True))
    store.advance(moment_at(END))

    with pytest.raises(RestFault):
        store.trades(market().symbols[0], moment_at(END))
    assert play.restamp


def trade(number: int, seconds: float, price: float, trade_id: int) -> Trade:
    at_ns = AT_NS + round(seconds * SECOND_NS)
    return Trade(number, "AAA", at_ns, at_ns, price, 100.0, "@", "Q", trade_id, "C")


def test_corrections_and_cancels_mark_their_trades_and_known_identities_count_once(tmp_path: Path) -> None:
    ticks: list[Tick] = [
        trade(1, 1, 10.0, 7),
        trade(2, 2, 11.0, 8),
        trade(3, 2.5, 11.0, 8),
        Correction(4, "AAA", AT_NS + 3 * SECOND_NS, AT_NS + 3 * SECOND_NS, 7, 10.5, 50.0, "I", "Q", 9, "C"),
        Cancel(5, "AAA", AT_NS + 4 * SECOND_NS, AT_NS + 4 * SECOND_NS, 8, "Q", "C"),
        Cancel(6, "AAA", AT_NS + 5 * SECOND_NS, AT_NS + 5 * SECOND_NS, 77, "Q", "C"),
    ]
    with TapeWriter(tmp_path / "day.parquet") as writer:
        writer.write_ticks(ticks)
    source = TapeSource(tmp_path / "day.parquet")

    before = kept_trades(source, PlaySettings(), moment_at(AT_NS + round(2.7 * SECOND_NS)))
    after = kept_trades(source, PlaySettings(), moment_at(AT_NS + 10 * SECOND_NS))

    assert [(row["i"], row["p"], row.get("u")) for row in before] == [(7, 10.0, None), (8, 11.0, None)]
    assert [(row["i"], row["p"], row["s"], row.get("u")) for row in after] == [
        (7, 10.0, 100, "incorrect"),
        (9, 10.5, 50, "corrected"),
        (8, 11.0, 100, "canceled"),
    ]
    assert after[0]["t"] == after[1]["t"]
