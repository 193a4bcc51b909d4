"""Polygon's REST answers: parameters and keys to the letter, and read by the client `massive`, unmodified."""

import asyncio
from collections.abc import Callable
from datetime import date, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from massive import RESTClient
from massive.exceptions import BadResponse
from rest_parts import Asking, moment_at
from venue_parts import deadlined, expected, market, reader, venue

from desk.local_venue.polygon.codes import EXCHANGES, condition_numbers
from desk.local_venue.rest.rest_door import RestSettings
from desk.local_venue.venue_settings import PlaySettings
from desk.model.corporate_actions import CorporateAction
from desk.model.ticks import Cancel, Correction, Tick, Trade
from desk.model.units import MS_NS, SECOND_NS
from desk.tape.reader import TapeSource
from desk.tape.writer import TapeWriter

SOURCE = market(events_per_s=400.0)
NEW_YORK = ZoneInfo("America/New_York")
START_NS = SOURCE.start_ns
OVER = moment_at(START_NS + 60 * SECOND_NS)
TRADES = [message for message in expected(SOURCE) if message["T"] == "t"]
NAME = max(SOURCE.symbols, key=lambda name: sum(message["S"] == name for message in TRADES))
ACTIONS = (
    CorporateAction(NAME, date(2025, 12, 30), 1, 4),
    CorporateAction(NAME, date(2025, 12, 16), cash=0.5),
    CorporateAction(SOURCE.symbols[-1], date(2025, 12, 17), 3, 1),
)


@pytest.fixture(scope="module")
def asking() -> Asking:
    return Asking(SOURCE, actions=ACTIONS)


def with_client(work: Callable[[Any], None]) -> None:
    """Run the blocking client against a venue that has played its source to the end."""

    async def scenario() -> None:
        rest = RestSettings(actions=ACTIONS)
        async with venue(SOURCE, PlaySettings(speed=None), rest=rest) as server, reader(server) as stream:
            await stream.ask({"action": "subscribe", "trades": ["*"], "quotes": ["*"]})
            await stream.events(sum(len(block) for block in SOURCE.blocks()))
            client = RESTClient("k", base=f"http://127.0.0.1:{server.port}", retries=0)
            await asyncio.to_thread(work, client)

    deadlined(scenario())


def test_the_client_massive_pages_through_trades_and_quotes() -> None:
    def work(client: Any) -> None:
        trades = list(client.list_trades(NAME, timestamp_gte=START_NS, order="asc", limit=50))
        newest = list(islice(client.list_trades(NAME, limit=50), 60))
        quotes = list(client.list_quotes(NAME, timestamp_gte=START_NS, order="asc", limit=70))

        own = sorted((message for message in TRADES if message["S"] == NAME), key=lambda message: message["t"])
        assert len(own) > 100
        assert [(one.sip_timestamp, one.price, one.size) for one in trades] == [
            (message["t"], message["p"], message["s"]) for message in own
        ]
        assert [(one.exchange, one.conditions or []) for one in trades] == [
            (EXCHANGES[message["x"]], condition_numbers("".join(message["c"]))) for message in own
        ]
        assert [one.sip_timestamp for one in newest] == [message["t"] for message in reversed(own)][:60]
        assert len({(one.exchange, one.id) for one in trades}) == len(trades)
        wanted = [message for message in expected(SOURCE) if message["T"] == "q" and message["S"] == NAME]
        assert sorted((one.sip_timestamp, one.bid_price, one.ask_size) for one in quotes) == sorted(
            (message["t"], message["bp"], message["as"]) for message in wanted
        )

    with_client(work)


def test_the_client_massive_reads_aggregates_and_actions() -> None:
    def work(client: Any) -> None:
        days = list(client.list_aggs(NAME, 1, "day", "2025-12-22", "2026-01-05", adjusted=True, limit=5))
        raw = list(client.list_aggs(NAME, 1, "day", "2025-12-22", "2026-01-05", adjusted=False))
        minutes = list(client.list_aggs(NAME, 1, "minute", date(2025, 12, 31), date(2025, 12, 31), limit=100))
        (before,) = client.get_previous_close_agg(NAME)
        splits = list(client.list_splits(NAME))
        dividends = list(client.list_dividends(ex_dividend_date_gte="2025-12-01", order="asc"))

        dates = [datetime.fromtimestamp(day.timestamp / 1000, NEW_YORK) for day in days]
        # The calendar of tests has weekdays only: also the 25th of December and New Year's Day.
        assert [(at.month, at.day, at.hour) for at in dates] == [
            (12, day, 0) for day in (22, 23, 24, 25, 26, 29, 30, 31)
        ] + [(1, day, 0) for day in (1, 2, 5)]
        ratios = [plain.close / day.close for plain, day in zip(raw, days, strict=True)]
        assert ratios == pytest.approx([4.0] * 6 + [1.0] * 5)
        assert len(minutes) == 390
        assert (minutes[0].open, minutes[-1].close) == (days[7].open, days[7].close)
        assert sum(minute.volume for minute in minutes) == pytest.approx(days[7].volume)
        assert before.close == days[-2].close
        assert [(one.execution_date, one.split_from, one.split_to) for one in splits] == [("2025-12-30", 1, 4)]
        assert [(one.ticker, one.cash_amount) for one in dividends] == [(NAME, 0.5)]
        with pytest.raises(BadResponse, match="makes no bars"):
            client.get_aggs(NAME, 2, "day", "2025-12-22", "2026-01-05")

    with_client(work)


def test_corrected_and_cancelled_trades_say_so(tmp_path: Any) -> None:
    at_ns = START_NS + SECOND_NS
    ticks: list[Tick] = [
        Trade(1, "AAA", at_ns, at_ns, 10.0, 100.0, "@", "Q", 7, "C"),
        Trade(2, "AAA", at_ns + 1, at_ns + 1, 11.0, 100.0, "@", "Q", 8, "C"),
        Correction(3, "AAA", at_ns + 2, at_ns + 2, 7, 10.5, 50.0, "I", "Q", 9, "C"),
        Cancel(4, "AAA", at_ns + 3, at_ns + 3, 8, "Q", "C"),
    ]
    with TapeWriter(tmp_path / "day.parquet") as writer:
        writer.write_ticks(ticks)

    body = Asking(TapeSource(tmp_path / "day.parquet")).get("/v3/trades/AAA", OVER, order="asc")

    assert [(row["id"], row["price"], row["correction"]) for row in body["results"]] == [("9", 10.5, 1), ("8", 11.0, 8)]
    assert body["results"][0]["sip_timestamp"] == at_ns


def test_ranges_exclude_and_include_their_ends(asking: Asking) -> None:
    own = sorted(message["t"] for message in TRADES if message["S"] == NAME)

    def times(**span: object) -> list[int]:
        body = asking.get(f"/v3/trades/{NAME}", OVER, order="asc", limit=50_000, **span)
        return [row["sip_timestamp"] for row in body["results"]]

    assert times(timestamp__gte=own[1], timestamp__lt=own[-1]) == own[1:-1]
    assert times(timestamp__gt=own[1], timestamp__lte=own[-1]) == own[2:]
    assert times(timestamp=own[3]) == [own[3]]
    assert times(timestamp__gte="2026-01-06") == []


def test_minutes_have_milliseconds_and_the_next_page_has_an_address(asking: Asking) -> None:
    from_ms = (START_NS - 3 * 24 * 3600 * SECOND_NS) // MS_NS

    body = asking.get(f"/v2/aggs/ticker/{NAME}/range/5/minute/{from_ms}/2026-01-05", OVER, limit=10, apiKey="secret")

    assert len(body["results"]) == body["resultsCount"] == 10
    assert {*body["results"][0]} == {"v", "vw", "o", "c", "h", "l", "t", "n"}
    assert body["results"][0]["t"] % 300_000 == 0
    assert body["next_url"].startswith(f"http://venue/v2/aggs/ticker/{NAME}/range/5/minute/")
    assert "secret" not in body["next_url"]


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/v3/trades/A", {"timestamp.gte": "soon"}, 400),
        ("/v3/trades/A", {"limit": "50001"}, 400),
        ("/v2/aggs/ticker/A/range/1/second/2026-01-05/2026-01-05", {}, 400),
        ("/v2/aggs/ticker/A/range/1/minute/yesterday/2026-01-05", {}, 400),
        ("/v3/reference/tickers", {}, 404),
    ],
)
def test_wrong_requests_are_refused_in_words(asking: Asking, path: str, params: dict[str, str], status: int) -> None:
    got, body = asking.raw(path, OVER, **params)

    assert (got, body["status"] in {"ERROR", "NOT_FOUND"}) == (status, True)
    assert body["error"]
