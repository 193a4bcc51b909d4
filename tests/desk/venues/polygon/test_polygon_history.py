"""History by REST: pages, bounds, identities, and answers that are no use."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from alpaca_rest_server import AlpacaRestServer, Answer, alpaca_rest_server
from pydantic import SecretStr

from desk.config import Plan
from desk.model.corporate_actions import CorporateAction
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS, MS_NS
from desk.venues.market_history import HistoryUnavailable, MarketHistory
from desk.venues.polygon.addresses import history_url
from desk.venues.polygon.codec import trade_identity
from desk.venues.polygon.history import PolygonHistory
from desk.venues.registry import feed_factory

KEY = "the-key-itself"
NS = 1_000_000_000
START_NS = int(datetime(2026, 1, 5, 14, 30, tzinfo=UTC).timestamp()) * NS
TRADES = "/v3/trades/A"


def row(number: int, **more: Any) -> dict[str, Any]:
    at_ns = START_NS + number * NS
    trade = {"sip_timestamp": at_ns, "participant_timestamp": 1, "price": 10.0 + number, "size": 100.0}
    return trade | {"id": str(number + 1), "exchange": 12, "conditions": [14, 37], "tape": 3} | more


def history_at(server: AlpacaRestServer) -> MarketHistory:
    return PolygonHistory(server.url, SecretStr(KEY))


def paged(rows: list[dict[str, Any]], path: str, size: int, host: str = "https://elsewhere.example") -> Any:
    def page(query: dict[str, str]) -> dict[str, Any]:
        first = int(query.get("cursor", 0))
        more = {"next_url": f"{host}{path}?cursor={first + size}"} if first + size < len(rows) else {}
        return {"status": "OK", "results": rows[first : first + size]} | more

    return page


def test_trades_come_in_pages_and_the_key_goes_to_this_host_only() -> None:
    with alpaca_rest_server({TRADES: paged([row(number) for number in range(5)], TRADES, 2)}) as server:
        pages = list(history_at(server).trades(["A"], START_NS, START_NS + 60 * NS))
        asked = server.asked

    assert [len(page) for page in pages] == [2, 2, 1]
    assert pages[0][0] == Trade(0, "A", START_NS, 0, 10.0, 100.0, "FI", "T", 1, "C")
    assert asked[0].query["timestamp.gte"] == str(START_NS)
    assert asked[0].query["timestamp.lt"] == str(START_NS + 60 * NS)
    assert [each.headers["Authorization"] for each in asked] == [f"Bearer {KEY}"] * 3
    assert all(KEY not in str(each.query) for each in asked)


def test_a_trade_has_the_identity_of_the_stream_s_message() -> None:
    rows = [row(0, id="x1"), row(1, id="77", trf_id=202, exchange=4, decimal_size="0.5", size=0)]
    with alpaca_rest_server({TRADES: paged(rows, TRADES, 9)}) as server:
        (page,) = history_at(server).trades(["A"], START_NS, START_NS + 60 * NS)

    assert [trade.trade_id for trade in page] == [trade_identity("x1", 0), trade_identity("77", 202)]
    assert page[1].size == 0.5
    assert page[1].exchange == "D"


def test_cancelled_trades_and_those_outside_the_range_are_left_out() -> None:
    rows = [row(0), row(1, correction=8), row(2, correction=1), row(3, correction=12), row(9)]
    with alpaca_rest_server({TRADES: paged(rows, TRADES, 9)}) as server:
        (page,) = history_at(server).trades(["A"], START_NS, START_NS + 9 * NS)

    assert [trade.trade_id for trade in page] == [1, 3]


def test_bars_are_raw_and_in_the_range() -> None:
    path = f"/v2/aggs/ticker/BRK%2FA/range/5/minute/{START_NS // MS_NS}/{(START_NS + 10 * MINUTE_NS) // MS_NS - 1}"
    bar = {"o": 1.0, "h": 2.0, "l": 0.5, "c": 1.5, "v": 10.0, "vw": 1.25, "n": 3}
    rows = [{"t": (START_NS + number * 5 * MINUTE_NS) // MS_NS, **bar} for number in range(3)]
    with alpaca_rest_server({path: paged(rows, path, 9)}) as server:
        found = history_at(server).bars(["BRK/A"], "5m", START_NS, START_NS + 10 * MINUTE_NS)
        asked = server.asked

    assert [each.minute_ns for each in found["BRK/A"]] == [START_NS, START_NS + 5 * MINUTE_NS]
    assert (found["BRK/A"][0].vwap, found["BRK/A"][0].trades, found["BRK/A"][0].flags) == (1.25, 3, "repaired")
    assert asked[0].query["adjusted"] == "false"


def test_a_symbol_without_bars_has_none() -> None:
    path = f"/v2/aggs/ticker/A/range/1/day/{START_NS // MS_NS}/{(START_NS + NS) // MS_NS - 1}"
    with alpaca_rest_server({path: lambda _: {"status": "OK", "resultsCount": 0}}) as server:
        assert history_at(server).bars(["A"], "1d", START_NS, START_NS + NS) == {"A": []}


def test_splits_and_dividends_of_the_symbols_are_actions() -> None:
    pages = {
        "/v3/reference/splits": lambda _: {
            "results": [
                {"ticker": "A", "execution_date": "2026-01-06", "split_from": 1, "split_to": 4, "id": "E"},
                {"ticker": "X", "execution_date": "2026-01-06", "split_from": 1, "split_to": 2},
            ]
        },
        "/v3/reference/dividends": lambda _: {
            "results": [{"ticker": "A", "ex_dividend_date": "2026-01-05", "cash_amount": 0.25, "frequency": 4}]
        },
    }
    with alpaca_rest_server(pages) as server:
        found = history_at(server).actions(["A", "B"], date(2026, 1, 1), date(2026, 1, 31))
        query = server.of("/v3/reference/splits")[0].query

    assert found == [
        CorporateAction("A", date(2026, 1, 5), cash=0.25),
        CorporateAction("A", date(2026, 1, 6), 1.0, 4.0),
    ]
    assert (query["execution_date.gte"], query["execution_date.lte"]) == ("2026-01-01", "2026-01-31")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(403, {"message": f"not entitled: {KEY}"}), "HTTP 403"),
        (Answer(200, raw=b"no JSON"), "malformed"),
        (Answer(200, {"results": [{"price": 1.0}]}), "malformed"),
        (Answer(200, {"results": [row(0, price=-1.0)]}), "malformed"),
        (Answer(200, {"results": [row(0, size=0)]}), "malformed"),
        (Answer(200, {"results": {}}), "malformed"),
        (Answer(200, {"results": [], "next_url": 7}), "malformed"),
    ],
)
def test_an_answer_that_is_no_use_is_one_line_without_the_key(answer: Answer, why: str) -> None:
    with alpaca_rest_server({}) as server:
        server.next_answers.append(answer)
        with pytest.raises(HistoryUnavailable, match=why) as caught:
            list(history_at(server).trades(["A"], START_NS, START_NS + NS))

    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pages_without_an_end_are_refused() -> None:
    with (
        alpaca_rest_server({TRADES: lambda _: {"results": [row(0)], "next_url": f"{TRADES}?cursor=1"}}) as server,
        pytest.raises(HistoryUnavailable, match="do not end"),
    ):
        list(history_at(server).trades(["A"], START_NS, START_NS + NS))


@pytest.mark.parametrize(
    ("feed", "url"),
    [
        ({}, "https://api.massive.com"),
        ({"name": "delayed"}, "https://api.massive.com"),
        ({"name": "polygon"}, "https://api.polygon.io"),
        ({"url": "ws://127.0.0.1:99/stocks"}, "http://127.0.0.1:99"),
        ({"url": "wss://relay.example/stocks"}, "https://api.massive.com"),
        ({"url": "wss://notpolygon.io/stocks"}, "https://api.massive.com"),
        ({"rest_url": "https://rest.example"}, "https://rest.example"),
    ],
)
def test_the_server_is_that_of_the_stream(feed: dict[str, Any], url: str) -> None:
    plan = Plan.model_validate({"session": {"name": "x", "mode": "paper"}, "feed": {"kind": "polygon"} | feed})
    factory = feed_factory(plan)

    assert factory.rest_url(plan) == url  # type: ignore[union-attr]
    assert url in factory.history(plan, [SecretStr(KEY)]).place  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("stream", "rest"),
    [
        ("wss://socket.polygon.io/stocks", "https://api.polygon.io"),
        ("wss://delayed.massive.com/stocks", "https://api.massive.com"),
        ("ws://127.0.0.1:7788/stocks", "http://127.0.0.1:7788"),
    ],
)
def test_the_server_of_history_belongs_to_the_stream(stream: str, rest: str) -> None:
    plan = Plan.model_validate({"session": {"name": "a", "mode": "paper"}, "feed": {"kind": "polygon"}})

    assert history_url(plan, stream) == rest
