"""Realistic features of the made-up market: activity, bursts, late reports, odd lots, movers."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from desk.feeds.synthetic.market import SyntheticConfig
from desk.feeds.synthetic.prints import CONDITION_CODES
from desk.model.blocks import QUOTE, TRADE
from desk.model.units import SECOND_NS

Columns = dict[str, NDArray[np.generic]]
Play = Callable[[SyntheticConfig], Columns]


def per_second(rows: Columns, config: SyntheticConfig) -> NDArray[np.int64]:
    return np.bincount((rows["ts_ns"] - config.start_ns) // SECOND_NS, minlength=config.duration_s)


def test_every_trade_has_a_quote_before_it_and_most_are_at_bid_or_ask(minutes: Columns) -> None:
    order = np.lexsort((minutes["ts_ns"], minutes["symbol"]))
    symbol, kind = minutes["symbol"][order], minutes["kind"][order]
    first = np.flatnonzero(np.diff(symbol, prepend=-1))
    before_trade = np.flatnonzero((kind[1:] == TRADE) & (kind[:-1] == QUOTE) & (symbol[1:] == symbol[:-1]))

    price = minutes["price"][order][before_trade + 1]
    bid, ask = minutes["bid"][order][before_trade], minutes["ask"][order][before_trade]

    assert np.all(kind[first] == QUOTE)
    assert np.mean((price == bid) | (price == ask)) > 0.9
    assert 0.3 < np.mean(price == ask) < 0.7


def test_activity_falls_with_rank_as_zipf_has_it(day: Columns) -> None:
    counts = np.bincount(day["symbol"], minlength=100)

    slope = np.polyfit(np.log(np.arange(1, 101)), np.log(counts), 1)[0]

    assert slope == pytest.approx(-1.0, abs=0.15)


@pytest.mark.parametrize("bursts", [True, False])
def test_the_mean_rate_is_the_one_asked_for(config: SyntheticConfig, play: Play, bursts: bool) -> None:
    asked = replace(config, events_per_s=200.0, duration_s=1_200, bursts=bursts)

    rows = play(asked)

    assert len(rows["ts_ns"]) / asked.duration_s == pytest.approx(200.0, rel=0.15 if bursts else 0.01)


def test_the_day_is_a_u(config: SyntheticConfig, day: Columns) -> None:
    half_hour = (day["ts_ns"] - config.start_ns) // (1_800 * SECOND_NS)

    counts = np.bincount(half_hour, minlength=13)

    assert counts[0] > 2.0 * counts[5:8].mean()
    assert counts[12] > 1.4 * counts[5:8].mean()
    assert counts[0] > counts[1] > counts[3]


def test_bursts_make_counts_far_more_uneven_than_poisson(config: SyntheticConfig, play: Play) -> None:
    quiet = replace(config, duration_s=300, bursts=False)
    lively = replace(quiet, bursts=True)

    def fano(asked: SyntheticConfig) -> float:
        """Variance over mean, from neighbouring seconds: the day's shape cancels out."""
        counts = per_second(play(asked), asked)
        return float(np.diff(counts).var() / 2.0 / counts.mean())

    assert fano(quiet) < 1.5
    assert fano(lively) > 3.0


def test_late_trades_come_as_often_as_asked_and_cross_minutes(config: SyntheticConfig, play: Play) -> None:
    asked = replace(config, duration_s=600, late_fraction=0.01)
    rows = play(asked)

    delay_s = (rows["recv_ns"] - rows["ts_ns"]) / SECOND_NS
    late = delay_s > 1.0
    minute = [(rows[name] - config.start_ns) // (60 * SECOND_NS) for name in ("recv_ns", "ts_ns")]

    assert late.sum() / np.sum(rows["kind"] == TRADE) == pytest.approx(0.01, rel=0.15)
    assert np.all(rows["kind"][late] == TRADE)
    assert delay_s.max() < 15.1
    assert np.any(late & (minute[0] > minute[1]))
    assert np.any(np.diff(rows["ts_ns"]) < -SECOND_NS)


def test_latency_is_about_a_millisecond(minutes: Columns) -> None:
    delay_ms = (minutes["recv_ns"] - minutes["ts_ns"]) / 1e6

    assert np.median(delay_ms) == pytest.approx(1.0, rel=0.3)
    assert delay_ms.min() > 0.0


def test_odd_lots_are_flagged_and_as_frequent_as_asked(minutes: Columns) -> None:
    trades = minutes["kind"] == TRADE
    odd = minutes["size"][trades] < 100
    letters = [CONDITION_CODES[code] for code in minutes["conditions"][trades]]

    assert ["I" in each for each in letters] == odd.tolist()
    assert odd.mean() == pytest.approx(0.35, abs=0.02)
    assert {"@", "F", "@I", "FI"} <= set(letters)


def test_quotes_per_trade_is_the_one_asked_for(config: SyntheticConfig, play: Play) -> None:
    rows = play(replace(config, symbols=10, quotes_per_trade=4.0))

    quotes = np.sum(rows["kind"] == QUOTE) / np.sum(rows["kind"] == TRADE)

    assert quotes == pytest.approx(4.0, rel=0.05)


def test_some_symbols_move_by_per_cents_and_trade_unusually_much(config: SyntheticConfig, day: Columns) -> None:
    trades = day["kind"] == TRADE
    symbol = day["symbol"][trades]
    window = (day["ts_ns"][trades] - config.start_ns) // (600 * SECOND_NS)
    counts = np.zeros((39, 100))
    np.add.at(counts, (window, symbol), 1)

    unusual = counts / np.maximum(np.median(counts, axis=0), 1.0)
    moves = [np.ptp(np.log(day["price"][trades][symbol == each])) for each in range(20)]

    assert 5 < np.sum(unusual > 4.0) < 500
    assert max(moves) > 0.02
    assert max(moves) < 0.8


def test_a_second_day_begins_where_the_first_ends(config: SyntheticConfig, play: Play) -> None:
    asked = replace(config, symbols=5, events_per_s=2.0, duration_s=390 * 60 + 1_800, bursts=False)

    rows = play(asked)
    half_hour = np.bincount((rows["ts_ns"] - config.start_ns) // (1_800 * SECOND_NS), minlength=14)

    assert half_hour[13] > 1.5 * half_hour[5:8].mean()
