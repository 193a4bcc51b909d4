from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from alpaca_rest_server import NS, AlpacaRestServer, Answer, Page, alpaca_rest_server, paged, rest_bar, rest_trade
from pydantic import SecretStr

from desk.model.bars import Bar
from desk.model.corporate_actions import CorporateAction
from desk.model.ticks import Trade
from desk.model.units import DAY_NS, MINUTE_NS
from desk.venues.alpaca.rest.addresses import RestAddresses
from desk.venues.alpaca.rest.clients import AlpacaClients
from desk.venues.alpaca.rest.history import SYMBOLS_PER_REQUEST, AlpacaHistory
from desk.venues.market_history import HistoryUnavailable, MarketHistory

START_NS = int(datetime(2026, 1, 5, 14, 30, tzinfo=UTC).timestamp()) * NS
TRADES, BARS, ACTIONS = "/v2/stocks/trades", "/v2/stocks/bars", "/v1/corporate-actions"


def history_at(server: AlpacaRestServer, feed: str = "iex") -> MarketHistory:
    clients = AlpacaClients(RestAddresses(server.url, server.url), SecretStr("k"), SecretStr("s"), "history")
    return AlpacaHistory(clients, feed, "alpaca iex history")


def serve(pages: dict[str, Page]) -> Any:
    return alpaca_rest_server(pages)


@pytest.fixture
def day() -> Iterator[AlpacaRestServer]:
    """Ten trades of A and five of B, a second apart, four to a page."""
    rows = {
        symbol: [rest_trade(START_NS + number * NS + 7, 10.0 + number, i=number) for number in range(count)]
        for symbol, count in (("A", 10), ("B", 5))
    }
    with serve({TRADES: paged(rows, "trades", 4)}) as server:
        yield server


def test_trades_come_in_pages_to_the_nanosecond(day: AlpacaRestServer) -> None:
    pages = list(history_at(day).trades(["A", "B"], START_NS, START_NS + 60 * NS))

    assert [len(page) for page in pages] == [4, 4, 4, 3]
    assert pages[0][0] == Trade(0, "A", START_NS + 7, 0, 10.0, 100.0, "@", "V", 0, "C")
    assert [trade.ts_ns for page in pages for trade in page if trade.symbol == "A"] == [
        START_NS + number * NS + 7 for number in range(10)
    ]
    assert {asked.query["feed"] for asked in day.asked} == {"iex"}


def test_a_page_is_asked_for_when_it_is_read(day: AlpacaRestServer) -> None:
    pages = history_at(day).trades(["A", "B"], START_NS, START_NS + 60 * NS)

    next(pages)

    assert len(day.asked) == 1


def test_a_range_includes_its_start_and_excludes_its_end(day: AlpacaRestServer) -> None:
    first_ns = START_NS + 2 * NS + 7

    (page,) = history_at(day).trades(["A"], first_ns, first_ns + 2 * NS)

    assert [trade.trade_id for trade in page] == [2, 3]
    assert day.asked[0].query["end"].endswith("04.000000006Z")


def test_many_symbols_are_asked_for_in_several_requests() -> None:
    names = [f"S{number:04}" for number in range(2 * SYMBOLS_PER_REQUEST + 1)]
    rows = {name: [rest_trade(START_NS)] for name in names}
    with serve({TRADES: paged(rows, "trades", 10_000)}) as server:
        pages = list(history_at(server).trades(names, START_NS, START_NS + NS))

        assert sorted(trade.symbol for page in pages for trade in page) == names
        assert max(len(asked.query["symbols"]) for asked in server.asked) < 4096
        assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("timeframe", "name", "width_ns"),
    [("1m", "1Min", MINUTE_NS), ("1h", "1Hour", 60 * MINUTE_NS), ("1d", "1Day", DAY_NS)],
)
def test_bars_are_raw_and_cover_their_whole_time(timeframe: Any, name: str, width_ns: int) -> None:
    rows = {"A": [rest_bar(START_NS + number * width_ns) for number in range(5)], "B": []}
    with serve({BARS: paged(rows, "bars", 2)}) as server:
        found = history_at(server).bars(["A", "B", "C"], timeframe, START_NS + width_ns, START_NS + 4 * width_ns)

    assert {symbol: len(bars) for symbol, bars in found.items()} == {"A": 3, "B": 0, "C": 0}
    begins_ns = START_NS + width_ns
    assert found["A"][0] == Bar(
        *("A", begins_ns, 10.0, 12.0, 9.0, 11.0, 500.0, 5250.0, 5),
        *(begins_ns, 0, begins_ns + width_ns - 1, 0, "repaired"),
    )
    assert server.asked[0].query["timeframe"] == name
    assert server.asked[0].query["adjustment"] == "raw"


def test_actions_are_those_effective_within_the_days_whenever_they_are_processed() -> None:
    answer = {
        "forward_splits": [
            {"symbol": "A", "new_rate": 4, "old_rate": 1, "ex_date": "2026-01-05", "process_date": "2026-01-05"},
            {"symbol": "OLD", "new_rate": 2, "old_rate": 1, "ex_date": "2025-12-30", "process_date": "2025-12-30"},
        ],
        "reverse_splits": [
            {"symbol": "B", "new_rate": 1, "old_rate": 10, "ex_date": "2026-01-06", "process_date": "2026-01-06"}
        ],
        "cash_dividends": [
            {"symbol": "A", "rate": 0.25, "ex_date": "2026-01-06", "process_date": "2026-02-12", "special": False}
        ],
        "stock_dividends": [{"symbol": "C", "rate": 0.05, "ex_date": "2026-01-07", "process_date": "2026-01-20"}],
        "name_changes": [{"old_symbol": "D", "new_symbol": "E", "process_date": "2026-01-05"}],
        "spin_offs": [{"source_symbol": "A", "new_symbol": "F", "ex_date": "2026-01-06", "process_date": "2026-01-06"}],
        "of_a_new_type": [{"symbol": "A", "ex_date": "2026-01-06", "process_date": "2026-01-06"}],
    }
    with serve({ACTIONS: lambda query: {"corporate_actions": answer, "next_page_token": None}}) as server:
        found = history_at(server).actions(["A", "B", "C", "D"], date(2026, 1, 5), date(2026, 1, 7))

    assert found == [
        CorporateAction("A", date(2026, 1, 5), 1.0, 4.0),
        CorporateAction("D", date(2026, 1, 5), new_symbol="E"),
        CorporateAction("A", date(2026, 1, 6), cash=0.25),
        CorporateAction("B", date(2026, 1, 6), 10.0, 1.0),
        CorporateAction("C", date(2026, 1, 7), 1.0, 1.05),
    ]
    (asked,) = server.asked
    assert asked.query["start"] < "2026-01-05"
    assert asked.query["end"] > "2026-02-12"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(403, {"message": "subscription does not permit querying recent SIP data"}), "HTTP 403: subscription"),
        (Answer(body={"trades": {"A": [{"t": "2026-01-05T14:30:00Z"}]}}), "missing required field `p`"),
        (Answer(body={"trades": {"A": [rest_trade(START_NS, t="yesterday")]}}), "yesterday"),
        (Answer(body={"trades": {"A": [rest_trade(START_NS, -1.0)]}}), "a trade of A with price -1.0"),
        (Answer(body={"trades": {"A": [rest_trade(START_NS, i=2**64)]}}), "id"),
        (Answer(body={"trades": [1]}), "malformed"),
    ],
)
def test_an_answer_that_is_no_history_is_an_error_with_its_reason(answer: Answer, why: str) -> None:
    with serve({}) as server:
        server.next_answers = [answer]

        with pytest.raises(HistoryUnavailable, match=f"alpaca iex history: .*{why}"):
            list(history_at(server).trades(["A"], START_NS, START_NS + NS))


def test_a_server_that_repeats_its_page_is_left() -> None:
    page = {"trades": {"A": [rest_trade(START_NS)]}, "next_page_token": "again"}
    with serve({TRADES: lambda query: page}) as server:
        with pytest.raises(HistoryUnavailable, match="do not end"):
            list(history_at(server).trades(["A"], START_NS, START_NS + NS))

        assert len(server.asked) == 2


def test_a_symbol_without_trades_has_an_empty_page() -> None:
    with serve({TRADES: lambda query: {"trades": None, "next_page_token": None}}) as server:
        assert list(history_at(server).trades(["A"], START_NS, START_NS + NS)) == [[]]
