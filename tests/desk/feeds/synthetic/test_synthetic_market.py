"""The made-up market's guarantees about its rows."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from desk.feeds.synthetic.market import SyntheticConfig, SyntheticMarket
from desk.model.blocks import QUOTE, TRADE, Block, BlockSource
from desk.model.errors import PlanError
from desk.model.units import SECOND_NS

Columns = dict[str, NDArray[np.generic]]
Play = Callable[[SyntheticConfig], Columns]
NO_COLUMNS = {"first_ordinal", "symbols", "exchanges", "condition_codes", "tapes", "tape", "originals", "notices"}
NAMES = [field.name for field in fields(Block) if field.name not in NO_COLUMNS]
ROOT = Path(__file__).resolve().parents[4]
DIGEST = """
import hashlib
from desk.feeds.synthetic.market import SyntheticConfig, SyntheticMarket
digest = hashlib.sha256()
for block in SyntheticMarket(SyntheticConfig(3, 50, 400.0, 0, 30)).blocks():
    for column in (block.recv_ns, block.ts_ns, block.symbol, block.trade_id, block.conditions):
        digest.update(column.tobytes())
    for column in (block.price, block.size, block.bid, block.ask):
        digest.update(column.tobytes())
print(digest.hexdigest())
"""

configs = st.builds(
    SyntheticConfig,
    seed=st.integers(0, 2**64),
    symbols=st.integers(1, 40),
    events_per_s=st.floats(0.01, 3_000.0),
    start_ns=st.integers(0, 2**61),
    duration_s=st.integers(1, 25),
    bursts=st.booleans(),
    late_fraction=st.sampled_from((0.0, 0.002, 0.5, 1.0)),
    odd_lot_fraction=st.floats(0.0, 1.0),
    quotes_per_trade=st.floats(0.01, 20.0),
)


def assert_same(one: Columns, other: Columns) -> None:
    for name, column in one.items():
        np.testing.assert_array_equal(column, other[name], err_msg=name)


def assert_trades_meet_quotes(rows: Columns) -> None:
    """Walk the rows by venue time, as a reader who knows nothing of how they were made."""
    quotes: dict[int, tuple[float, float]] = {}
    columns = (rows[name].tolist() for name in ("ts_ns", "kind", "symbol", "price", "bid", "ask"))
    for _, kind, symbol, price, bid, ask in sorted(zip(*columns, strict=True), key=lambda row: row[0]):
        if kind == QUOTE:
            quotes[symbol] = bid, ask
        else:
            assert quotes[symbol][0] <= price <= quotes[symbol][1]


def assert_sound(config: SyntheticConfig, rows: Columns) -> None:
    """What holds of every config's rows."""
    trades, quotes = rows["kind"] == TRADE, rows["kind"] == QUOTE
    assert np.all(trades | quotes)
    assert np.all(np.diff(rows["recv_ns"]) >= 0)
    assert np.all(rows["recv_ns"] >= rows["ts_ns"])
    assert np.all(rows["ts_ns"] >= config.start_ns)
    assert np.all(rows["recv_ns"] <= config.start_ns + config.duration_s * SECOND_NS)
    assert np.all((rows["symbol"] >= 0) & (rows["symbol"] < config.symbols))
    assert np.all(rows["bid"][quotes] < rows["ask"][quotes])
    assert np.all(rows["bid"][quotes] > 1.0)
    assert np.all(rows["price"][trades] > 1.0)
    assert np.all(rows["size"][trades] >= 1.0)
    for name in ("bid_size", "ask_size"):
        assert np.all((rows[name][quotes] >= 100) & (rows[name][quotes] % 100 == 0))
    for name in ("price", "size"):
        assert np.all(np.isnan(rows[name][quotes]))
    for name in ("bid", "bid_size", "ask", "ask_size"):
        assert np.all(np.isnan(rows[name][trades]))
    stamps = np.stack((rows["symbol"], rows["ts_ns"]))
    assert np.unique(stamps, axis=1).shape == stamps.shape


@examples(40)
@given(config=configs)
def test_every_config_keeps_the_promises(config: SyntheticConfig) -> None:
    market = SyntheticMarket(config)
    blocks = list(market.blocks())

    if not blocks:
        return
    rows = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in NAMES}

    assert_sound(config, rows)
    assert all(len(block) for block in blocks)
    lengths = [len(block) for block in blocks]
    assert [block.first_ordinal for block in blocks] == [sum(lengths[:place]) for place in range(len(blocks))]
    assert_trades_meet_quotes(rows)


@examples(15)
@given(config=configs)
def test_the_same_config_always_gives_the_same_blocks(config: SyntheticConfig) -> None:
    market = SyntheticMarket(config)

    first, again, other = (list(source.blocks()) for source in (market, market, SyntheticMarket(config)))

    assert len(first) == len(again) == len(other)
    for block, *twins in zip(first, again, other, strict=True):
        for twin in twins:
            for name in NAMES:
                np.testing.assert_array_equal(getattr(block, name), getattr(twin, name))


def test_processes_agree_whatever_their_hash_seed() -> None:
    digests = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", DIGEST]
        digests.add(subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout)

    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64


def test_readers_side_by_side_do_not_disturb_each_other(config: SyntheticConfig, minutes: Columns) -> None:
    market = SyntheticMarket(config)
    ahead = market.blocks()
    next(ahead)

    rows = np.concatenate([block.ts_ns for block in market.blocks()])

    np.testing.assert_array_equal(rows, minutes["ts_ns"])


def test_another_seed_gives_another_market(config: SyntheticConfig, play: Play, minutes: Columns) -> None:
    other = play(replace(config, seed=config.seed + 1))

    assert len(other["ts_ns"]) != len(minutes["ts_ns"]) or np.any(other["ts_ns"] != minutes["ts_ns"])
    assert other["price"][other["symbol"] == 0][5] != minutes["price"][minutes["symbol"] == 0][5]


def test_another_start_is_the_same_session_moved(config: SyntheticConfig, play: Play, minutes: Columns) -> None:
    moved = play(replace(config, start_ns=config.start_ns + 12_345))

    moved["recv_ns"] = moved["recv_ns"] - 12_345
    moved["ts_ns"] = moved["ts_ns"] - 12_345
    assert_same(moved, minutes)


def test_it_is_a_block_source(config: SyntheticConfig) -> None:
    market: BlockSource = SyntheticMarket(config)

    assert market.place == "synthetic market, seed 11"
    assert market.symbols[0] == "SYN0000"
    assert len(market.symbols) == 200
    assert (market.start_ns, market.end_ns) == (config.start_ns, config.start_ns + 90 * SECOND_NS)


def test_block_columns_stand_alone_in_memory(config: SyntheticConfig) -> None:
    block = next(iter(SyntheticMarket(config).blocks()))

    assert all(getattr(block, name).flags.c_contiguous for name in NAMES)
    assert all(len(getattr(block, name)) == len(block) for name in NAMES)
    assert (block.symbol.dtype, block.kind.dtype, block.conditions.dtype) == (np.int32, np.int8, np.int32)


def test_every_trade_executes_at_or_between_the_prevailing_quotes(minutes: Columns) -> None:
    assert_trades_meet_quotes(minutes)


def test_prices_lie_on_whole_cents(minutes: Columns) -> None:
    prices = np.concatenate([minutes[name][~np.isnan(minutes[name])] for name in ("price", "bid", "ask")])

    np.testing.assert_array_equal(prices, np.rint(prices * 100) / 100)


def test_trade_ids_rise_without_a_hole_per_symbol_and_exchange(minutes: Columns) -> None:
    ids: dict[tuple[int, int], list[int]] = {}
    trades = minutes["kind"] == TRADE
    columns = (minutes[name][trades].tolist() for name in ("symbol", "exchange", "trade_id"))
    for symbol, exchange, trade_id in zip(*columns, strict=True):
        ids.setdefault((symbol, exchange), []).append(trade_id)

    assert all(each == list(range(1, len(each) + 1)) for each in ids.values())
    assert np.all(minutes["trade_id"][~trades] == 0)


def test_without_late_reports_each_symbol_arrives_in_venue_order(config: SyntheticConfig, play: Play) -> None:
    rows = play(replace(config, symbols=20, late_fraction=0.0))

    for symbol in range(20):
        assert np.all(np.diff(rows["ts_ns"][rows["symbol"] == symbol]) > 0)


def test_thousands_of_symbols_at_a_high_rate_are_sound(config: SyntheticConfig, play: Play) -> None:
    asked = replace(config, symbols=10_001, events_per_s=100_000.0, duration_s=3)

    rows = play(asked)

    assert_sound(asked, rows)
    assert SyntheticMarket(asked).symbols[-1] == "SYN10000"
    assert len(rows["ts_ns"]) > 200_000


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", -1),
        ("symbols", 0),
        ("symbols", 1_000_000),
        ("events_per_s", 0.0),
        ("events_per_s", float("nan")),
        ("events_per_s", float("inf")),
        ("start_ns", -1),
        ("duration_s", 0),
        ("late_fraction", 1.5),
        ("odd_lot_fraction", -0.1),
        ("quotes_per_trade", 0.0),
        ("quotes_per_trade", float("inf")),
    ],
)
def test_a_value_that_makes_no_market_is_refused_by_name(config: SyntheticConfig, key: str, value: float) -> None:
    with pytest.raises(PlanError) as refused:
        replace(config, **{key: value})

    assert key in refused.value.place
    assert repr(value) in refused.value.found
    assert refused.value.expected
