"""The venue's channel `bars`, compared with a plain loop over the trades."""

from collections import defaultdict

import pytest
from venue_parts import deadlined, expected, market, reader, venue

from desk.bars.sale_conditions import eligibility
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
