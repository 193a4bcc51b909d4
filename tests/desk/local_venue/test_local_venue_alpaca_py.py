"""Alpaca's own client, alpaca-py, reads the local venue."""

import asyncio
import warnings
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from venue_parts import Message, deadlined, expected, market, venue

from desk.local_venue.venue_settings import PlaySettings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def stock_stream(url: str) -> Any:
    with warnings.catch_warnings():
        # It rests on the legacy client of websockets, which announces its end.
        warnings.simplefilter("ignore", DeprecationWarning)
        from alpaca.data.live import StockDataStream  # noqa: PLC0415

    return StockDataStream("k", "s", url_override=url)


def as_message(tick: Any) -> Message:
    """A model of alpaca-py as the message it was made of; its times are cut to microseconds."""
    message = {"S": tick.symbol, "t": (tick.timestamp - EPOCH) // timedelta(microseconds=1) * 1_000}
    if type(tick).__name__ == "Trade":
        return {**message, "T": "t", "x": _text(tick.exchange), "p": tick.price, "s": tick.size, "c": tick.conditions}
    return {
        **message, "T": "q", "bx": _text(tick.bid_exchange), "bp": tick.bid_price, "bs": tick.bid_size,
        "ax": _text(tick.ask_exchange), "ap": tick.ask_price, "as": tick.ask_size, "c": tick.conditions,
    }  # fmt: skip


def _text(exchange: Any) -> str:
    return str(getattr(exchange, "value", exchange))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("single", [False, True], ids=["1ms", "single"])
def test_alpaca_py_receives_what_the_source_holds(single: bool) -> None:
    source = market()
    wanted = [{**message, "t": message["t"] // 1_000 * 1_000} for message in expected(source)]
    got: list[Message] = []

    async def scenario() -> None:
        done = asyncio.Event()

        async def take(tick: Any) -> None:
            got.append(as_message(tick))
            if len(got) == len(wanted):
                done.set()

        async with venue(source, PlaySettings(speed=None, single=single)) as server:
            stream = stock_stream(f"ws://127.0.0.1:{server.port}/v2/iex")
            stream.subscribe_trades(take, "*")
            stream.subscribe_quotes(take, *source.symbols)
            running = asyncio.create_task(stream._run_forever())
            await done.wait()
            await stream.stop_ws()
            await stream.close()
            running.cancel()
            await asyncio.wait([running])

    deadlined(scenario())

    assert got == wanted


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_alpaca_py_receives_bars_statuses_corrections_and_cancels() -> None:
    source = market(events_per_s=12.0, duration_s=130)
    symbol = source.symbols[0]
    faults = f"""
        [[faults]]
        kind = "halt"
        symbols = ["{symbol}"]
        at = 10
        for_s = 10
        [[faults]]
        kind = "corrections"
        share = 0.2
        [[faults]]
        kind = "cancels"
        share = 0.2
        """
    got: dict[str, list[Any]] = defaultdict(list)
    kinds = {"Trade", "Bar", "TradingStatus", "TradeCorrection", "TradeCancel"}

    async def scenario() -> None:
        done = asyncio.Event()

        async def take(model: Any) -> None:
            got[type(model).__name__].append(model)
            if set(got) == kinds and len(got["TradingStatus"]) == 2:
                done.set()

        async with venue(source, faults=faults) as server:
            stream = stock_stream(f"ws://127.0.0.1:{server.port}/v2/sip")
            stream.subscribe_trades(take, "*")
            stream.subscribe_bars(take, "*")
            stream.subscribe_updated_bars(take, "*")
            stream.subscribe_trading_statuses(take, symbol)
            stream.register_trade_corrections(take)
            stream.register_trade_cancels(take)
            running = asyncio.create_task(stream._run_forever())
            await done.wait()
            await stream.stop_ws()
            await stream.close()
            running.cancel()
            await asyncio.wait([running])

    deadlined(scenario())

    halted, resumed = got["TradingStatus"]
    assert (halted.symbol, halted.status_code, halted.reason_code) == (symbol, "H", "T1")
    assert resumed.status_code == "T"
    first = got["TradeCorrection"][0]
    assert first.original_price > first.corrected_price
    assert any(trade.id == first.original_id and trade.price == first.original_price for trade in got["Trade"])
    assert {cancel.action for cancel in got["TradeCancel"]} == {"C"}
