import time
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from alpaca_rest_server import NS, AlpacaRestServer, Answer, Page, alpaca_rest_server, rest_snapshot, rest_trade
from pydantic import SecretStr

from desk.model.live_symbol import NEVER_NS, SnapshotBar
from desk.ports import MarketUnavailable
from desk.venues.alpaca.rest.addresses import RestAddresses
from desk.venues.alpaca.rest.clients import AlpacaClients
from desk.venues.alpaca.rest.reference import AlpacaReference
from desk.venues.alpaca.rest.snapshots import SYMBOLS_PER_REQUEST, AlpacaMarket

DAY = date(2026, 1, 5)
NOW_NS = 1_767_623_400 * NS
DAY_NS = 1_767_589_200 * NS
ASSETS, CALENDAR, SNAPSHOTS = "/v2/assets", "/v2/calendar", "/v2/stocks/snapshots"
ACTIVES, MOVERS = "/v1beta1/screener/stocks/most-actives", "/v1beta1/screener/stocks/movers"


def asset(symbol: str, **more: Any) -> dict[str, Any]:
    return {"symbol": symbol, "exchange": "NASDAQ", "status": "active", "tradable": True, "class": "us_equity"} | more


def snapshots_of(query: dict[str, str]) -> dict[str, Any]:
    return {symbol: rest_snapshot(NOW_NS, 10.0, 9.0, DAY_NS) for symbol in query["symbols"].split(",")}


def market_at(
    server: AlpacaRestServer,
    scanned: Literal["all", "active"] = "all",
    folder: Path | None = None,
    exchange_day: date | None = None,
) -> AlpacaMarket:
    clients = AlpacaClients(RestAddresses(server.url, server.url), SecretStr("k"), SecretStr("s"), "scans")
    return AlpacaMarket(
        clients, AlpacaReference(clients, DAY, folder), "iex", "alpaca iex snapshots", scanned, exchange_day
    )


def whole_market(symbols: int) -> dict[str, Page]:
    assets = [asset(f"S{number:04}") for number in range(symbols)]
    others = [asset("HALTED", tradable=False), asset("PINK", exchange="OTC")]
    return {ASSETS: lambda query: [*assets, *others], SNAPSHOTS: snapshots_of}


def test_all_tradable_symbols_are_read_in_parts() -> None:
    count = 2 * SYMBOLS_PER_REQUEST + 1
    with alpaca_rest_server(whole_market(count)) as server:
        found = market_at(server).read(["SPY", "*"])

        assert sorted(one.symbol for one in found) == [*(f"S{number:04}" for number in range(count)), "SPY"]
        assert len(server.of(SNAPSHOTS)) == 3
        assert {asked.query["feed"] for asked in server.of(SNAPSHOTS)} == {"iex"}


def test_the_active_market_is_the_most_active_symbols_the_movers_and_the_subscribed_ones() -> None:
    def actives(query: dict[str, str]) -> dict[str, Any]:
        return {"most_actives": [{"symbol": "VOL" if query["by"] == "volume" else "TRD", "volume": 1}]}

    movers = {"gainers": [{"symbol": "UP"}], "losers": [{"symbol": "DOWN"}], "market_type": "stocks"}
    pages: dict[str, Page] = {ACTIVES: actives, MOVERS: lambda query: movers, SNAPSHOTS: snapshots_of}
    with alpaca_rest_server(pages) as server:
        found = market_at(server, "active").read(["SPY"])

        assert [one.symbol for one in found] == ["DOWN", "SPY", "TRD", "UP", "VOL"]
        assert len(server.asked) == 4


def test_a_snapshot_is_what_the_venue_says_and_nothing_where_it_says_nothing() -> None:
    whole = rest_snapshot(NOW_NS, 10.0, 9.0, DAY_NS)
    odd_lot = whole | {"latestTrade": rest_trade(NOW_NS, 99.0, c=["@", "I"])}
    answer = {"WHOLE": whole, "ODD": odd_lot, "BARE": {"latestTrade": None}, "NONE": None, "UNASKED": whole}
    pages: dict[str, Page] = {ASSETS: lambda query: [asset(name) for name in answer if name != "UNASKED"]}
    with alpaca_rest_server(pages | {SNAPSHOTS: lambda query: answer}) as server:
        found = {one.symbol: one for one in market_at(server).read([])}

    assert found.keys() == {"WHOLE", "ODD", "BARE"}
    one = found["WHOLE"]
    assert (one.price, one.price_ns, one.bid, one.ask, one.quote_ns) == (10.0, NOW_NS, 9.99, 10.01, NOW_NS)
    assert one.day == SnapshotBar(DAY_NS, 9.0, 10.0, 9.0, 10.0, 9000.0, 90)
    assert one.minute == SnapshotBar(NOW_NS - 60 * NS, 10.0, 10.0, 10.0, 10.0, 500.0, 5)
    assert found["ODD"].price_ns == NEVER_NS
    assert (found["BARE"].price_ns, found["BARE"].day.start_ns) == (NEVER_NS, NEVER_NS)


def test_a_malformed_snapshot_is_left_out_and_reported_once() -> None:
    bad = rest_snapshot(NOW_NS, 10.0, 9.0, DAY_NS, latestTrade={"t": "now", "p": 1.0, "s": 1.0})
    answer = {"GOOD": rest_snapshot(NOW_NS, 10.0, 9.0, DAY_NS), "BAD": bad, "WORSE": {"minuteBar": "none"}}
    pages: dict[str, Page] = {ASSETS: lambda query: [asset(name) for name in answer], SNAPSHOTS: lambda query: answer}
    with alpaca_rest_server(pages) as server:
        market = market_at(server)

        assert [one.symbol for one in market.read([])] == ["GOOD"]
        assert market.take_notes() == ["alpaca iex snapshots: 2 malformed snapshots left out"]
        assert market.take_notes() == []


def test_one_failed_request_fails_the_read() -> None:
    with alpaca_rest_server(whole_market(3 * SYMBOLS_PER_REQUEST)) as server:
        assets = Answer(body=whole_market(3 * SYMBOLS_PER_REQUEST)[ASSETS]({}))
        server.next_answers = [assets, Answer(403, {"message": "not yours"})]

        with pytest.raises(MarketUnavailable, match="alpaca iex snapshots: HTTP 403: not yours"):
            market_at(server).read([])


def test_a_refused_request_is_repeated_after_the_time_that_the_venue_names() -> None:
    with alpaca_rest_server(whole_market(3)) as server:
        server.next_answers = [Answer(429, {"message": "too many requests"}, {"Retry-After": "1"})]
        market = market_at(server)
        began_s = time.monotonic()

        assert len(market.read([])) == 3

        assert time.monotonic() - began_s >= 1.0
        assert market.take_notes() == ["alpaca iex snapshots: 1 request refused (429), and repeated"]
        assert market.take_notes() == []


@pytest.mark.parametrize(
    ("day", "note"),
    [
        ("2026-01-05", []),
        ("2026-01-06", ["alpaca iex snapshots: the venue's calendar has no trading day on 2026-01-05"]),
        (None, ["alpaca iex snapshots: the venue's calendar could not be read: HTTP 404: not found"]),
    ],
)
def test_a_day_that_the_venue_does_not_trade_on_is_noted_once(day: str | None, note: list[str]) -> None:
    calendar: dict[str, Page] = {CALENDAR: lambda query: [{"date": day, "open": "09:30", "close": "16:00"}]}
    with alpaca_rest_server(whole_market(3) | (calendar if day else {})) as server:
        market = market_at(server, exchange_day=DAY)

        assert len(market.read([])) == 3
        assert market.take_notes() == note
        market.read([])
        assert market.take_notes() == []


def test_symbols_and_trading_days_are_fetched_once_a_day(tmp_path: Path) -> None:
    days = [{"date": "2026-01-05", "open": "09:30", "close": "16:00", "session_open": "0400"}]
    with alpaca_rest_server(whole_market(3) | {CALENDAR: lambda query: days}) as server:
        for _ in range(2):
            market = market_at(server, folder=tmp_path)
            market.read([])
            calendar = market._reference.calendar()

        assert [(day.date, day.open, day.close) for day in calendar] == [(DAY, "09:30", "16:00")]
        assert len(server.of(ASSETS)) == len(server.of(CALENDAR)) == 1
        next(tmp_path.glob("assets-*")).write_bytes(b"damaged")
        market = market_at(server, folder=tmp_path)
        assert len(market.read([])) == 3
        assert len(server.of(ASSETS)) == 2
        assert "fetched again" in market.take_notes()[0]
