"""Alpaca's REST answers to the letter: parameters, pages, keys of the messages, errors."""

from datetime import date
from typing import Any

import pytest
from rest_parts import Asking, moment_at
from venue_parts import Message, expected, market

from desk.local_venue.rest.query import read_time
from desk.model.blocks import QUOTE, TRADE
from desk.model.corporate_actions import CorporateAction
from desk.model.units import DAY_NS, SECOND_NS

SOURCE = market(events_per_s=300.0)
START_NS = SOURCE.start_ns
OVER = moment_at(START_NS + 60 * SECOND_NS)
NAMES = ",".join(SOURCE.symbols)
BAR_KEYS = {"t", "o", "h", "l", "c", "v", "n", "vw"}


@pytest.fixture(scope="module")
def asking() -> Asking:
    actions = [
        CorporateAction(SOURCE.symbols[0], date(2025, 12, 1), 1, 10),
        CorporateAction(SOURCE.symbols[1], date(2025, 12, 2), 5, 1),
        CorporateAction(SOURCE.symbols[1], date(2025, 12, 3), cash=0.25),
        CorporateAction("OLD", date(2025, 12, 4), new_symbol="NEW"),
    ]
    return Asking(SOURCE, actions=actions)


def symbol_with_both() -> str:
    kinds: dict[int, set[int]] = {}
    for block in SOURCE.blocks():
        for symbol, kind in zip(block.symbol.tolist(), block.kind.tolist(), strict=True):
            kinds.setdefault(symbol, set()).add(kind)
    return SOURCE.symbols[next(symbol for symbol, found in sorted(kinds.items()) if found >= {TRADE, QUOTE})]


@pytest.mark.parametrize("kind", ["trades", "quotes"])
@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_pages_hold_every_row_once_by_symbol_and_time(asking: Asking, kind: str, sort: str) -> None:
    letter = kind[0]
    wanted = [message for message in expected(SOURCE) if message["T"] == letter]

    pages = asking.pages(f"/v2/stocks/{kind}", OVER, kind, symbols=NAMES, limit=37, sort=sort)
    rows = [(name, row) for page in pages for name, rows in page.items() for row in rows]

    assert all(sum(map(len, page.values())) == 37 for page in pages[:-1])
    assert len(rows) == len(wanted)
    keys = [(name, read_time(row["t"])) for name, row in rows]
    by_time = sorted(keys) if sort == "asc" else sorted(keys, key=lambda key: (key[0], -key[1]))
    assert keys == by_time
    price = "p" if kind == "trades" else "bp"
    assert sorted((name, read_time(row["t"]), row[price]) for name, row in rows) == sorted(
        (message["S"], message["t"], message[price]) for message in wanted
    )


def test_a_span_includes_both_ends_and_ends_at_the_present(asking: Asking) -> None:
    trades = sorted(message["t"] for message in expected(SOURCE) if message["T"] == "t")
    name = next(message["S"] for message in expected(SOURCE) if message["T"] == "t")
    own = sorted(message["t"] for message in expected(SOURCE) if message["T"] == "t" and message["S"] == name)
    first, last = (f"{_utc(time)}" for time in (own[1], own[-2]))

    body = asking.get("/v2/stocks/trades", OVER, symbols=name, start=first, end=last)
    early = asking.get("/v2/stocks/trades", moment_at(trades[0] - 1), symbols=name, end="2090-01-01T00:00:00Z")

    assert [read_time(row["t"]) for row in body["trades"][name]] == own[1:-1]
    assert early == {"trades": {}, "next_page_token": None}


def _utc(time_ns: int) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415

    seconds, nanos = divmod(time_ns, SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"


def test_latest_rows_and_snapshots(asking: Asking) -> None:
    name = symbol_with_both()
    own = [message for message in expected(SOURCE) if message["S"] == name]
    newest: dict[str, Message] = {}
    for message in sorted(own, key=lambda message: message["t"]):
        newest[message["T"]] = message

    trade = asking.get("/v2/stocks/trades/latest", OVER, symbols=name)["trades"][name]
    quote = asking.get("/v2/stocks/quotes/latest", OVER, symbols=name)["quotes"][name]
    snapshots = asking.get("/v2/stocks/snapshots", OVER, symbols=f"{name},NONE")
    (snapshot,) = snapshots.values()

    assert (trade["p"], read_time(trade["t"])) == (newest["t"]["p"], newest["t"]["t"])
    assert (quote["bp"], quote["ap"], read_time(quote["t"])) == (
        newest["q"]["bp"],
        newest["q"]["ap"],
        newest["q"]["t"],
    )
    assert set(trade) == set("tpsixcz")
    assert set(quote) == {"t", "bp", "bs", "bx", "ap", "as", "ax", "c", "z"}
    assert set(snapshot) == {"latestTrade", "latestQuote", "minuteBar", "dailyBar", "prevDailyBar"}
    assert snapshot["latestTrade"] == trade
    assert {*snapshot["dailyBar"]} == {*snapshot["prevDailyBar"]} == BAR_KEYS
    assert snapshot["dailyBar"]["t"] == "2026-01-05T05:00:00Z"
    assert snapshot["prevDailyBar"]["t"] == "2026-01-02T05:00:00Z"


def test_crypto_rows_have_no_exchange_and_books_have_one_level(asking: Asking) -> None:
    name = symbol_with_both()

    trades = asking.get("/v1beta3/crypto/us/trades", OVER, symbols=name)["trades"][name]
    book = asking.get("/v1beta3/crypto/us/latest/orderbooks", OVER, symbols=name)["orderbooks"][name]
    snapshots = asking.get("/v1beta3/crypto/us/snapshots", OVER, symbols=name)["snapshots"]

    assert {*trades[0]} == {"t", "p", "s", "i", "tks"}
    assert ({*book}, {*book["a"][0]}, len(book["b"])) == ({"t", "b", "a"}, {"p", "s"}, 1)
    assert {*snapshots[name]} >= {"latestTrade", "latestQuote"}


def test_the_screener_ranks_the_day(asking: Asking) -> None:
    trades = [message for message in expected(SOURCE) if message["T"] == "t"]
    count = {name: sum(message["S"] == name for message in trades) for name in SOURCE.symbols}

    by_trades = asking.get("/v1beta1/screener/stocks/most-actives", OVER, by="trades", top=3)
    by_volume = asking.get("/v1beta1/screener/stocks/most-actives", OVER)["most_actives"]
    movers = asking.get("/v1beta1/screener/stocks/movers", OVER, top=2)

    rows = by_trades["most_actives"]
    assert [row["trade_count"] for row in rows] == sorted(count.values(), reverse=True)[:3]
    assert [row["volume"] for row in by_volume] == sorted((row["volume"] for row in by_volume), reverse=True)
    assert movers["market_type"] == "stocks"
    for row in (*movers["gainers"], *movers["losers"]):
        before = asking.get("/v2/stocks/snapshots", OVER, symbols=row["symbol"])[row["symbol"]]["prevDailyBar"]["c"]
        assert row["change"] == pytest.approx(row["price"] - before, abs=1e-3)
        assert row["percent_change"] == pytest.approx(100 * (row["price"] - before) / before, abs=0.01)


def test_assets_calendar_and_clock(asking: Asking) -> None:
    assets = asking.get("/v2/assets", OVER, status="active")
    one = asking.get(f"/v2/assets/{assets[0]['id']}", OVER)
    days = asking.get("/v2/calendar", OVER, start="2026-01-02", end="2026-01-06")
    now = asking.get("/v2/clock", moment_at(START_NS + 5))
    night = asking.get("/v2/clock", moment_at(START_NS - DAY_NS // 2))

    assert [asset["symbol"] for asset in assets] == list(SOURCE.symbols)
    assert one == assets[0]
    assert asking.get("/v2/assets", OVER, asset_class="crypto") == []
    assert [(day["date"], day["open"], day["close"]) for day in days] == [
        ("2026-01-02", "09:30", "16:00"),
        ("2026-01-05", "09:30", "16:00"),
        ("2026-01-06", "09:30", "16:00"),
    ]
    assert now == {
        "timestamp": "2026-01-05T09:30:00.000000005-05:00",
        "is_open": True,
        "next_open": "2026-01-06T09:30:00-05:00",
        "next_close": "2026-01-05T16:00:00-05:00",
    }
    assert (night["is_open"], night["next_open"][:16]) == (False, "2026-01-05T09:30")


def test_corporate_actions_by_type_symbol_and_date_in_pages(asking: Asking) -> None:
    span = {"start": "2025-12-01", "end": "2025-12-31"}

    everything = asking.get("/v1/corporate-actions", OVER, **span)["corporate_actions"]
    splits = asking.get("/v1/corporate-actions", OVER, **span, types="forward_split")["corporate_actions"]
    own = asking.get("/v1/corporate-actions", OVER, **span, symbols=SOURCE.symbols[1])["corporate_actions"]
    pages = asking.pages("/v1/corporate-actions", OVER, "corporate_actions", **span, limit=3)
    today = asking.get("/v1/corporate-actions", OVER)["corporate_actions"]

    assert {kind: len(rows) for kind, rows in everything.items()} == {
        "forward_splits": 1, "reverse_splits": 1, "cash_dividends": 1, "name_changes": 1,
    }  # fmt: skip
    assert [*splits] == ["forward_splits"]
    assert (splits["forward_splits"][0]["new_rate"], splits["forward_splits"][0]["ex_date"]) == (10, "2025-12-01")
    assert {*own} == {"reverse_splits", "cash_dividends"}
    assert [sum(map(len, page.values())) for page in pages] == [3, 1]
    assert today == {}


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/v2/stocks/trades", {}, 400),
        ("/v2/stocks/trades", {"symbols": "A", "limit": "0"}, 400),
        ("/v2/stocks/trades", {"symbols": "A", "limit": "10001"}, 400),
        ("/v2/stocks/trades", {"symbols": "A", "start": "yesterday"}, 400),
        ("/v2/stocks/trades", {"symbols": "A", "page_token": "none"}, 400),
        ("/v2/stocks/trades", {"symbols": "A", "sort": "up"}, 400),
        ("/v2/stocks/trades", {"symbols": "A", "feed": "other"}, 400),
        ("/v2/stocks/bars", {"symbols": "A", "timeframe": "60Min"}, 400),
        ("/v2/stocks/bars", {"symbols": "A", "timeframe": "2Day"}, 400),
        ("/v2/stocks/bars", {"symbols": "A"}, 400),
        ("/v2/stocks/bars", {"symbols": "A", "timeframe": "1Day", "currency": "EUR"}, 400),
        ("/v1beta1/screener/stocks/movers", {"top": "51"}, 400),
        ("/v2/assets/NONE", {}, 404),
        ("/v2/stocks/other", {}, 404),
    ],
)
def test_wrong_requests_are_refused_in_words(asking: Asking, path: str, params: dict[str, Any], status: int) -> None:
    got, body = asking.raw(path, OVER, **params)

    assert got == status
    assert body["message"]


def test_recent_sip_data_need_the_subscription() -> None:
    asking = Asking(SOURCE, entitled=("iex",))
    recent = {"symbols": NAMES, "feed": "sip", "start": "2026-01-05"}

    assert asking.raw("/v2/stocks/trades", OVER, **recent)[0] == 403
    assert asking.raw("/v2/stocks/trades", OVER, **recent, end="2026-01-05T14:00:00Z")[0] == 200
    assert asking.get("/v2/stocks/trades", OVER, symbols=NAMES)["trades"]
    assert asking.get("/v2/stocks/trades/latest", OVER, symbols=NAMES, feed="delayed_sip")["trades"] == {}
