"""The venue's channels `bars` and `updatedBars`, compared with a plain loop over the trades."""

import asyncio
from collections import defaultdict

import pytest
from venue_parts import START_NS, Message, deadlined, expected, market, reader, venue

from desk.bars.sale_conditions import eligibility
from desk.feeds.synthetic.market import SyntheticConfig, SyntheticMarket
from desk.local_venue.venue_settings import PlaySettings
from desk.model.units import MINUTE_NS

Rows = dict[tuple[str, int], list[tuple[int, float, float, bool, bool]]]


def by_minute(messages: list[dict[str, object]]) -> Rows:
    """The trades that count for volume: time, price, size, whether they set high and low, and open and close."""
    rows: Rows = defaultdict(list)
    for told in messages:
        if told["T"] == "t":
            volume, high_low, open_close = eligibility("".join(told["c"]))  # type: ignore[arg-type]
            if volume:
                at, price, size = int(told["t"]), float(told["p"]), float(told["s"])  # type: ignore[call-overload]
                rows[str(told["S"]), at // MINUTE_NS * MINUTE_NS].append((at, price, size, high_low, open_close))
    return rows


@pytest.mark.parametrize("binary", [False, True], ids=["json", "msgpack"])
@pytest.mark.parametrize("single", [False, True], ids=["1ms", "single"])
def test_a_client_of_bars_gets_every_whole_minute_of_its_symbols_once(binary: bool, single: bool) -> None:
    source = market(events_per_s=40.0, duration_s=190)
    rows = by_minute(expected(source))
    first_ns = min(minute_ns for _, minute_ns in rows)
    whole = (first_ns + MINUTE_NS, first_ns + 2 * MINUTE_NS)
    wanted = {
        key: trades
        for key, trades in rows.items()
        if key[0] != source.symbols[0] and key[1] in whole and any(sets for *_, sets in trades)
    }

    async def scenario() -> None:
        async with (
            venue(source, PlaySettings(speed=None, single=single)) as server,
            reader(server, binary=binary) as client,
        ):
            await client.ask({"action": "subscribe", "bars": list(source.symbols[1:])})
            bars = []
            while len(bars) < len(wanted):
                bars += await client.recv()

            assert {told["T"] for told in bars} == {"b"}
            got = {(told["S"], told["t"]): told for told in bars}
            assert len(got) == len(bars)
            for key, trades in wanted.items():
                told = got[key]
                assert told["n"] == len(trades)
                assert told["v"] == pytest.approx(sum(size for _, _, size, *_ in trades))
                assert told["h"] == max(price for _, price, _, high_low, _ in trades if high_low)
                assert told["l"] == min(price for _, price, _, high_low, _ in trades if high_low)
                assert told["vw"] == pytest.approx(
                    sum(price * size for _, price, size, *_ in trades) / sum(size for _, _, size, *_ in trades)
                )

    deadlined(scenario())


LATE = SyntheticConfig(5, 4, 60.0, START_NS, 310, late_fraction=0.08)
TURN = 400
"""More events than one turn of the play sends."""


def arrived(messages: list[Message], key: tuple[str, int], due_ns: int) -> tuple[int, int] | None:
    """The trades of a minute that came before venue time reached `due_ns`, or within a turn after it, as two counts."""
    times = [int(message["t"]) for message in messages]
    reached = next((number for number, at in enumerate(times) if at >= due_ns), None)
    if reached is None:
        return None
    few, many = (len(by_minute(messages[: reached + more]).get(key, [])) for more in (1, TURN))
    return few, many


def test_a_minute_that_late_trades_changed_is_published_again_after_30_s() -> None:
    source = SyntheticMarket(LATE)
    messages = expected(source)

    async def scenario() -> None:
        async with venue(source, PlaySettings(speed=None)) as server, reader(server) as client:
            await client.ask({"action": "subscribe", "bars": ["*"], "updatedBars": ["*"]})
            bars: dict[str, dict[tuple[str, int], Message]] = {"b": {}, "u": {}}
            while server.stats.state != "ended":  # noqa: ASYNC110  the play has no event of its end
                await asyncio.sleep(0.001)
            await client.send({"action": "unsubscribe", "trades": []})
            while (frame := await client.recv())[0]["T"] != "subscription":
                bars[frame[0]["T"]] |= {(bar["S"], bar["t"]): bar for bar in frame}

        assert bars["u"]
        assert set(bars["u"]) < set(bars["b"])
        checked = 0
        for (symbol, minute_ns), bar in bars["b"].items():
            key, end_ns = (symbol, minute_ns), minute_ns + MINUTE_NS
            first, later = (arrived(messages, key, end_ns + after_s * 10**9) for after_s in (1, 30))
            assert first is not None
            assert first[0] <= bar["n"] <= first[1]
            if later is not None:
                checked += 1
                assert later[0] <= bars["u"].get(key, bar)["n"] <= later[1]
        assert checked > 8

    deadlined(scenario())
