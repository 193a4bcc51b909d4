"""Bars of the past: of the source's trades by the rule of the stream's bars, and of made-up days before them."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from rest_parts import END, Asking, moment_at
from venue_parts import Message, market

from desk.feeds.synthetic.market import SyntheticConfig, SyntheticMarket
from desk.local_venue.minute_bars import MinuteBars, bar_message
from desk.local_venue.rest.made_days import MadeDays
from desk.local_venue.rest.market_past import DAY, MINUTE, BarLength, MarketPast
from desk.local_venue.rest.market_store import MarketStore
from desk.local_venue.rest.query import read_time
from desk.local_venue.rest.trading_days import STOCKS, WeekDays, date_of, midnight_ns
from desk.local_venue.venue_settings import PlaySettings
from desk.model.bars import Bar
from desk.model.blocks import BlockSource
from desk.model.corporate_actions import CorporateAction
from desk.model.ticks import Cancel, Correction, Tick, Trade
from desk.model.units import DAY_NS, MINUTE_NS, SECOND_NS
from desk.tape.reader import TapeSource
from desk.tape.writer import TapeWriter

START_NS = 1_767_623_400 * SECOND_NS  # Monday, 2026-01-05, 9:30 in New York
DAYS = WeekDays(STOCKS)
RATIO = {"rel": 1e-9}


def minutes_market(seconds: int = 400) -> SyntheticMarket:
    return SyntheticMarket(SyntheticConfig(3, 6, 60.0, START_NS, seconds))


def past_of(source: BlockSource, actions: tuple[CorporateAction, ...] = (), seed: int = 1) -> MarketPast:
    play = PlaySettings(seed=seed)
    store = MarketStore(source, play)
    store.advance(moment_at(END))
    return MarketPast(store, play, WeekDays, actions)


def streamed(source: BlockSource) -> list[Bar]:
    """The minutes that the stream's own fold publishes, as last updated; the first, incomplete one is not there."""
    bars, minutes = dict[tuple[str, int], Bar](), MinuteBars()
    for block in source.blocks():
        for row in range(len(block)):
            published = minutes.take(block, block.ts_ns, row, row + 1)
            bars |= {(bar.symbol, bar.minute_ns): bar for bar in (*published.new, *published.updated)}
    return list(bars.values())


def check_equal(past: Message, stream: Bar) -> None:
    wanted = bar_message(stream)
    assert read_time(past["t"]) == wanted["t"]
    assert [past[name] for name in "ohlcn"] == [wanted[name] for name in "ohlcn"]
    assert past["v"] == pytest.approx(wanted["v"], **RATIO)
    assert past["vw"] == pytest.approx(wanted["vw"], **RATIO)


def test_minutes_of_the_past_are_those_of_the_stream() -> None:
    source = minutes_market()
    wanted = streamed(source)
    first_ns = START_NS + MINUTE_NS

    body = Asking(source).get(
        "/v2/stocks/bars", moment_at(END - DAY_NS), symbols=",".join(source.symbols), timeframe="1Min",
        start="2026-01-05T14:31:00Z", limit=10_000,
    )  # fmt: skip
    got = {(name, read_time(row["t"])): row for name, rows in body["bars"].items() for row in rows}

    assert len(wanted) > 20
    for bar in wanted:
        assert bar.minute_ns >= first_ns
        check_equal(got[bar.symbol, bar.minute_ns], bar)
    last_ns = max(bar.minute_ns for bar in wanted)
    assert len([time_ns for _, time_ns in got if time_ns <= last_ns]) == len(wanted)


def test_revised_trades_change_their_minute(tmp_path: Path) -> None:
    def trade(number: int, seconds: float, price: float, trade_id: int) -> Trade:
        at_ns = START_NS + round(seconds * SECOND_NS)
        return Trade(number, "AAA", at_ns, at_ns, price, 100.0, "@", "Q", trade_id, "C")

    at_ns = START_NS + 90 * SECOND_NS
    ticks: list[Tick] = [
        trade(1, 1, 10.0, 1),
        trade(2, 61, 12.0, 2),
        trade(3, 62, 20.0, 3),
        trade(4, 63, 11.0, 4),
        Correction(5, "AAA", at_ns, at_ns, 2, 12.5, 10.0, "@", "Q", 5, "C"),
        Cancel(6, "AAA", at_ns, at_ns, 3, "Q", "C"),
        trade(7, 200, 10.0, 6),
    ]
    with TapeWriter(tmp_path / "day.parquet") as writer:
        writer.write_ticks(ticks)
    source = TapeSource(tmp_path / "day.parquet")
    wanted = next(bar for bar in streamed(source) if bar.minute_ns == START_NS + MINUTE_NS)

    bars = Asking(source).get("/v2/stocks/bars", moment_at(END - DAY_NS), symbols="AAA", timeframe="1Min", start=(
        "2026-01-05T14:31:00Z"), end="2026-01-05T14:31:59Z")["bars"]["AAA"]  # fmt: skip

    (bar,) = bars
    check_equal(bar, wanted)
    assert (bar["o"], bar["h"], bar["c"], bar["v"]) == (12.5, 12.5, 11.0, 110)


def test_bars_shorter_than_a_day_appear_when_they_are_over_and_the_day_at_once() -> None:
    past = past_of(source := minutes_market())
    symbol = source.symbols[0]
    now = moment_at(START_NS + 5 * MINUTE_NS + 30 * SECOND_NS)

    minutes = past.bars(symbol, MINUTE, START_NS, END, now)
    fives = past.bars(symbol, BarLength(5, "Min"), START_NS, END, now)
    day = past.bars(symbol, DAY, START_NS - DAY_NS // 2, END, now)

    assert minutes.start_ns.tolist() == [START_NS + number * MINUTE_NS for number in range(5)]
    assert fives.start_ns.tolist() == [START_NS]
    assert (fives.open[0], fives.close[0]) == (minutes.open[0], minutes.close[-1])
    assert (fives.high[0], fives.low[0]) == (minutes.high.max(), minutes.low.min())
    assert fives.volume[0] == pytest.approx(minutes.volume.sum())
    assert day.start_ns.tolist() == [midnight_ns(date(2026, 1, 5), DAYS.zone)]
    assert day.volume[0] > fives.volume[0]


def test_made_up_days_lead_to_the_source_and_depend_on_the_seed_only() -> None:
    source = minutes_market()
    past, again, other = past_of(source), past_of(source), past_of(source, seed=2)
    symbol, now = source.symbols[0], moment_at(START_NS)
    from_ns = START_NS - 30 * DAY_NS

    days = past.bars(symbol, DAY, from_ns, START_NS - DAY_NS, now)
    one_day = again.bars(symbol, DAY, int(days.start_ns[3]), int(days.start_ns[3]), now)
    minutes = past.bars(symbol, MINUTE, int(days.start_ns[-1]), int(days.start_ns[-1]) + DAY_NS - 1, now)

    span = (date(2025, 12, 8) + timedelta(number) for number in range(28))
    assert [date_of(start, DAYS.zone) for start in days.start_ns.tolist()] == [day for day in span if day.weekday() < 5]
    assert one_day.close[0] == days.close[3]
    assert other.bars(symbol, DAY, from_ns, START_NS - DAY_NS, now).close[3] != days.close[3]
    assert len(minutes) == 390
    assert (minutes.open[0], minutes.close[-1]) == (days.open[-1], days.close[-1])
    assert minutes.volume.sum() == days.volume[-1]
    assert (minutes.low <= np.minimum(minutes.open, minutes.close)).all()
    assert (minutes.high >= np.maximum(minutes.open, minutes.close)).all()
    first_price = past.store.first_prices[symbol]
    assert days.close[-1] == pytest.approx(first_price, rel=0.03)
    assert (np.abs(np.diff(np.log(days.close))) < 0.12).all()


def test_weeks_and_months_gather_days() -> None:
    source = market()
    past, symbol, now = past_of(source), source.symbols[0], moment_at(START_NS + 10 * SECOND_NS)

    weeks = past.bars(symbol, BarLength(1, "Week"), START_NS - 15 * DAY_NS, END, now)
    months = past.bars(symbol, BarLength(1, "Month"), midnight_ns(date(2025, 12, 1), DAYS.zone), END, now)
    december = past.bars(symbol, DAY, int(months.start_ns[0]), midnight_ns(date(2025, 12, 31), DAYS.zone), now)

    assert [date_of(start, DAYS.zone) for start in weeks.start_ns.tolist()] == [
        date(2025, 12, 22), date(2025, 12, 29), date(2026, 1, 5),
    ]  # fmt: skip
    assert [date_of(start, DAYS.zone) for start in months.start_ns.tolist()] == [date(2025, 12, 1), date(2026, 1, 1)]
    assert (months.high[0], months.volume[0]) == (december.high.max(), december.volume.sum())


def test_splits_and_dividends_change_earlier_prices_by_the_wanted_adjustment() -> None:
    source = market()
    symbol, now = source.symbols[0], moment_at(START_NS)
    split = CorporateAction(symbol, date(2025, 12, 30), 1, 4)
    dividend = CorporateAction(symbol, date(2025, 12, 23), cash=1.0)
    late = CorporateAction(symbol, date(2026, 2, 1), 1, 2)
    plain, acted = past_of(source), past_of(source, (split, dividend, late))
    from_ns = START_NS - 20 * DAY_NS

    continuous = plain.bars(symbol, DAY, from_ns, START_NS - DAY_NS, now)
    raw, by_split, by_all = (
        acted.bars(symbol, DAY, from_ns, START_NS - DAY_NS, now, kind) for kind in ("raw", "split", "all")
    )
    days = [date_of(start, DAYS.zone) for start in raw.start_ns.tolist()]
    before_split = np.array([day < split.effective for day in days])
    before_dividend = np.array([day < dividend.effective for day in days])
    close_before = float(raw.close[before_dividend][-1])

    assert raw.close == pytest.approx(np.where(before_split, 4, 1) * continuous.close)
    assert raw.volume == pytest.approx(continuous.volume / np.where(before_split, 4, 1))
    assert by_split.close == pytest.approx(continuous.close)
    assert by_split.volume == pytest.approx(continuous.volume)
    factor = np.where(before_dividend, 1 - 1.0 / close_before, 1.0)
    assert by_all.close == pytest.approx(continuous.close * factor)


def test_crypto_pairs_trade_every_day_from_midnight_utc() -> None:
    made = MadeDays(1, WeekDays("24/7"), date(2026, 1, 5), {"BTC/USD": 50_000.0})

    days = made.dates(date(2026, 1, 1), date(2026, 1, 9))

    assert days == [date(2026, 1, day) for day in (1, 2, 3, 4)]
    assert len(made.minutes("BTC/USD", days[0])) == 1440
