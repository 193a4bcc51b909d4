"""alpaca-py's REST clients, unmodified, against the local venue."""

import asyncio
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from venue_parts import deadlined, expected, market, reader, venue

from desk.local_venue.rest.rest_door import RestSettings
from desk.local_venue.venue_settings import PlaySettings
from desk.model.corporate_actions import CorporateAction
from desk.wiring.exchange_days import ExchangeDays

with warnings.catch_warnings():
    # alpaca-py imports the legacy client of websockets, which announces its end.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.data.enums import Adjustment, DataFeed, MostActivesBy
    from alpaca.data.historical import CryptoHistoricalDataClient, ScreenerClient, StockHistoricalDataClient
    from alpaca.data.historical.corporate_actions import CorporateActionsClient
    from alpaca.data.requests import (
        CorporateActionsRequest,
        CryptoBarsRequest,
        CryptoLatestOrderbookRequest,
        MarketMoversRequest,
        MostActivesRequest,
        StockBarsRequest,
        StockLatestBarRequest,
        StockLatestQuoteRequest,
        StockLatestTradeRequest,
        StockQuotesRequest,
        StockSnapshotRequest,
        StockTradesRequest,
    )
    from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
    from alpaca.trading.client import TradingClient
    from alpaca.trading.requests import GetAssetsRequest, GetCalendarRequest

SOURCE = market(events_per_s=400.0)
NAMES = list(SOURCE.symbols)
DAY = datetime(2026, 1, 5, tzinfo=UTC)
ACTIONS = (
    CorporateAction(NAMES[0], date(2025, 12, 30), 1, 4),
    CorporateAction(NAMES[1], date(2025, 12, 30), cash=0.5),
)


def with_venue(work: Callable[[str], None]) -> None:
    """Run blocking clients against a venue that has played its source to the end; `work` takes its address."""

    async def scenario() -> None:
        rest = RestSettings(actions=ACTIONS)
        async with (
            venue(SOURCE, PlaySettings(speed=None), rest=rest, days_of=ExchangeDays) as server,
            reader(server) as client,
        ):
            await client.ask({"action": "subscribe", "trades": ["*"], "quotes": ["*"]})
            await client.events(sum(len(block) for block in SOURCE.blocks()))
            await asyncio.to_thread(work, f"http://127.0.0.1:{server.port}")

    deadlined(scenario())


def test_the_historical_client_reads_ticks_bars_and_snapshots() -> None:
    def work(url: str) -> None:
        client = StockHistoricalDataClient("k", "s", url_override=url)
        trades: Any = client.get_stock_trades(StockTradesRequest(symbol_or_symbols=NAMES, start=DAY))
        quotes: Any = client.get_stock_quotes(StockQuotesRequest(symbol_or_symbols=NAMES, start=DAY, limit=150))
        days: Any = client.get_stock_bars(
            StockBarsRequest(
                symbol_or_symbols=NAMES,
                timeframe=TimeFrame.Day,
                start=datetime(2025, 12, 5, tzinfo=UTC),
                adjustment=Adjustment.SPLIT,
                feed=DataFeed.IEX,
            )
        )
        minutes: Any = client.get_stock_bars(
            StockBarsRequest(
                symbol_or_symbols=NAMES,
                timeframe=TimeFrame(5, TimeFrameUnit.Minute),
                start=datetime(2025, 12, 1, tzinfo=UTC),
                end=datetime(2026, 1, 1, tzinfo=UTC),
            )
        )
        latest: Any = client.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols=NAMES))
        quoted: Any = client.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=NAMES))
        barred: Any = client.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols=NAMES))
        snapshots: Any = client.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=NAMES))

        wanted = [message for message in expected(SOURCE) if message["T"] == "t"]
        got = [trade for name in trades.data for trade in trades.data[name]]
        assert sorted((trade.symbol, trade.price, trade.size) for trade in got) == sorted(
            (message["S"], message["p"], message["s"]) for message in wanted
        )
        assert sum(map(len, quotes.data.values())) == 150
        assert {len(rows) for rows in days.data.values()} == {20}
        # December 2025 has 22 trading days, one of them with an early close.
        assert {len(rows) for rows in minutes.data.values()} == {21 * 78 + 42}
        assert {*latest} == {trade.symbol for trade in got}
        assert all(quote.ask_price > quote.bid_price for quote in quoted.values())
        assert barred == {}
        assert all(one.daily_bar.timestamp.date() == date(2026, 1, 5) for one in snapshots.values() if one.latest_trade)

    with_venue(work)


def test_crypto_screener_actions_assets_calendar_and_clock() -> None:
    def work(url: str) -> None:
        crypto = CryptoHistoricalDataClient("k", "s", url_override=url)
        pair = crypto.get_crypto_bars(
            CryptoBarsRequest(
                symbol_or_symbols="BTC/USD", timeframe=TimeFrame.Hour, start=datetime(2026, 1, 3, tzinfo=UTC)
            )
        )
        books: Any = crypto.get_crypto_latest_orderbook(CryptoLatestOrderbookRequest(symbol_or_symbols=NAMES))
        screener = ScreenerClient("k", "s", url_override=url)
        active: Any = screener.get_most_actives(MostActivesRequest(top=3, by=MostActivesBy.VOLUME))
        movers: Any = screener.get_market_movers(MarketMoversRequest(top=3))
        actions: Any = CorporateActionsClient("k", "s", url_override=url).get_corporate_actions(
            CorporateActionsRequest(symbols=NAMES, start=date(2025, 12, 1), end=date(2026, 1, 5))
        )
        trading = TradingClient("k", "s", url_override=url)
        assets: Any = trading.get_all_assets(GetAssetsRequest())
        calendar: Any = trading.get_calendar(GetCalendarRequest(start=date(2025, 12, 22), end=date(2026, 1, 5)))
        clock: Any = trading.get_clock()

        assert {row.timestamp.hour for row in pair.data["BTC/USD"]} == set(range(24))
        assert {*books} <= set(NAMES)
        assert all(len(book.bids) == 1 for book in books.values())
        assert len(active.most_actives) == 3
        assert active.most_actives[0].volume >= active.most_actives[2].volume
        assert {mover.symbol for mover in (*movers.gainers, *movers.losers)} <= set(NAMES)
        assert [row.symbol for row in actions.data["forward_splits"]] == [NAMES[0]]
        assert actions.data["cash_dividends"][0].rate == 0.5
        assert [asset.symbol for asset in assets] == NAMES
        assert trading.get_asset(NAMES[0]) == assets[0]
        assert [str(day.date) for day in calendar] == [
            "2025-12-22", "2025-12-23", "2025-12-24", "2025-12-26", "2025-12-29", "2025-12-30", "2025-12-31",
            "2026-01-02", "2026-01-05",
        ]  # fmt: skip
        assert calendar[2].close.hour == 13
        assert clock.is_open
        with pytest.raises(APIError) as refused:
            trading.get_asset("NONE")
        assert refused.value.status_code == 404

    with_venue(work)
