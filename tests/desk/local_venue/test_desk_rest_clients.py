"""The desk's own clients of Alpaca's REST API against the local venue."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import date
from typing import Literal

import pytest
from pydantic import SecretStr
from venue_parts import deadlined, market, reader, venue

from desk.local_venue.rest.rest_door import RestSettings
from desk.local_venue.venue_settings import PlaySettings
from desk.model.blocks import TRADE
from desk.model.corporate_actions import CorporateAction
from desk.model.live_symbol import LiveSymbol
from desk.model.units import DAY_NS, MINUTE_NS, SECOND_NS
from desk.venues.alpaca.rest.addresses import RestAddresses
from desk.venues.alpaca.rest.clients import AlpacaClients
from desk.venues.alpaca.rest.history import AlpacaHistory
from desk.venues.alpaca.rest.reference import AlpacaReference
from desk.venues.alpaca.rest.snapshots import AlpacaMarket
from desk.venues.rest.request_budget import RequestClass
from desk.wiring.exchange_days import ExchangeDays

SOURCE = market(events_per_s=400.0)
NAMES = list(SOURCE.symbols)
DAY = date(2026, 1, 5)
SPLIT = CorporateAction(NAMES[0], date(2025, 12, 30), 1, 4)


def with_venue(work: Callable[[str], None]) -> None:
    """Run blocking clients against a venue that has played its source to the end; `work` takes its address."""

    async def scenario() -> None:
        rest = RestSettings(actions=(SPLIT,))
        async with (
            venue(SOURCE, PlaySettings(speed=None), rest=rest, days_of=ExchangeDays) as server,
            reader(server) as client,
        ):
            await client.ask({"action": "subscribe", "trades": ["*"], "quotes": ["*"]})
            await client.events(sum(len(block) for block in SOURCE.blocks()))
            await asyncio.to_thread(work, f"http://127.0.0.1:{server.port}")

    deadlined(scenario())


def clients_of(url: str, kind: RequestClass) -> AlpacaClients:
    return AlpacaClients(RestAddresses(url, url), SecretStr("k"), SecretStr("s"), kind)


def traded() -> Iterator[tuple[str, int, float, float]]:
    """Symbol, venue time, price and size of each trade of the source."""
    for block in SOURCE.blocks():
        for row in range(len(block)):
            if block.kind[row] == TRADE:
                yield (
                    block.symbols[block.symbol[row]],
                    int(block.ts_ns[row]),
                    float(block.price[row]),
                    float(block.size[row]),
                )


def test_history_is_what_the_stream_played() -> None:
    from_ns, to_ns = SOURCE.start_ns, SOURCE.start_ns + MINUTE_NS

    def work(url: str) -> None:
        history = AlpacaHistory(clients_of(url, "history"), "iex", "history")
        trades = [trade for page in history.trades(NAMES, from_ns, to_ns) for trade in page]
        assert sorted((trade.symbol, trade.ts_ns, trade.price, trade.size) for trade in trades) == sorted(
            row for row in traded() if from_ns <= row[1] < to_ns
        )
        days = history.bars(NAMES, "1d", from_ns - 30 * DAY_NS, from_ns)
        assert days.keys() == set(NAMES)
        assert {len(bars) for bars in days.values()} == {19}
        assert history.actions(NAMES, date(2025, 12, 1), DAY) == [SPLIT]

    with_venue(work)


@pytest.mark.parametrize("scanned", ["all", "active"])
def test_snapshots_are_the_state_of_the_market_that_was_played(scanned: Literal["all", "active"]) -> None:
    def work(url: str) -> None:
        clients = clients_of(url, "scans")
        reference = AlpacaReference(clients, DAY, None)
        found: list[LiveSymbol] = AlpacaMarket(clients, reference, "iex", "snapshots", scanned, DAY).read(["*"])

        assert [one.symbol for one in found] == sorted(NAMES)
        for one in found:
            rows = [row for row in traded() if row[0] == one.symbol]
            assert one.day.volume == sum(size for *_, size in rows)
            assert one.bid <= one.ask
            assert abs(one.quote_ns - SOURCE.start_ns) < 10 * SECOND_NS

    with_venue(work)
