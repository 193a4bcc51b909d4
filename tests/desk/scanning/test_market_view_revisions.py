"""Duplicates, corrections and cancels: the scanners' view equals that of a shard that is always subscribed."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from market_rows import T0, BlockRow, BlockRows, FakeClock

from desk.bars.remembered_trades import TradeMemory, unpack_trades
from desk.consumer.engine import Engine, EngineConfig
from desk.feeds.frames import frames_of as played
from desk.feeds.replay import BlockFeed
from desk.model.bars import Bar, BarFields
from desk.model.items import Item, Mark, Watch
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS
from desk.scanning.market_view import MarketView

START_NS = T0 - T0 % MINUTE_NS + MINUTE_NS
START_MS = (START_NS - T0) / MS_NS
REVISE_NS = 120 * SECOND_NS
SYMBOLS = ("AAA", "BBB")


@pytest.fixture(autouse=True, scope="module")
def few_trades_are_remembered() -> Iterable[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("desk.bars.remembered_trades.MOST", 9)
        patch.setattr("desk.bars.remembered_trades.AT_ONCE", 4)
        yield


def an_engine() -> Engine:
    return Engine(EngineConfig("day", START_NS, SECOND_NS, REVISE_NS, 10**18), (), lambda: 0)


def lines_of(seed: int, length: int) -> list[BlockRow]:
    random = Random(seed)
    now_ms, lines = -40_000.0, [BlockRow(START_MS - 50_000, "AAA"), BlockRow(START_MS - 50_000, "BBB")]
    for _ in range(length):
        now_ms += random.choice((0, 0, 10, 400, 3_000, 25_000))
        lines.append(
            BlockRow(
                START_MS + now_ms,
                random.choice(SYMBOLS),
                random.choice(("trade", "trade", "trade", "trade", "correction", "cancel")),
                price=10 + random.randrange(40) / 4,
                size=random.choice((100.0, 7.0, 1.0)),
                lag_ms=random.choice((0, 0, 0, 900, 20_000, 65_000, 130_000, 200_000)),
                conditions=random.choice(("", "", "I", "M", "Z", None)),
                trade_id=random.choice((0, *range(1, 14))),
                original_id=random.choice((0, *range(1, 14))),
                tape=random.choice(("A", "A", "B")),
            )
        )
    return lines


def frames_of(source: BlockRows, watches: dict[int, list[Watch]]) -> list[Item]:
    """What a shard is given that watches from the start, or, as `watches` say, from marks on."""
    feed = BlockFeed(source, FakeClock(), start_ns=START_NS)
    feed.subscribe(SYMBOLS)
    items: list[Item] = [*watches.get(START_NS, [])]
    for frame in played(feed, feed._clock):
        items += frame.ticks
        if frame.mark:
            items.append(Mark(frame.session_ns, 0))
            items += watches.get(frame.session_ns, [])
    return items


def warm_watch(view: MarketView, symbol: str, at_ns: int) -> Watch:
    """As the producer sends it, through its encoding."""
    bars = view.bars([symbol], at_ns)[symbol]
    watch = Watch(symbol, at_ns, [""], True, bars, view.remembered([symbol]).get(symbol, b""))
    return msgspec.msgpack.decode(msgspec.msgpack.encode(watch), type=Watch)


def a_view(source: BlockRows) -> MarketView:
    return MarketView(source, START_NS, REVISE_NS)


def figures(bar: BarFields) -> str:
    """All but symbol, minute and flags; as text, because NaN is not equal to itself."""
    return repr(msgspec.structs.astuple(bar)[2:-1])


def bars_of(engine: Engine, symbol: str, kept: Sequence[Bar]) -> dict[int, str]:
    """Every minute of a symbol, open or closed."""
    found: dict[int, BarFields] = {bar.minute_ns: bar for bar in kept if bar.symbol == symbol}
    found |= {bar.minute_ns: bar for bar in engine.symbols[symbol].bars.state()[2]}
    return {minute_ns: figures(bar) for minute_ns, bar in sorted(found.items()) if bar.trades}


def memory_of(packed: bytes) -> tuple[Any, ...]:
    """The remembered trades of a symbol, without their received times."""
    memory = unpack_trades(packed)
    if memory is None:
        return ()
    state: TradeMemory = memory.state(whole=False)
    bases = {bar.minute_ns: figures(bar) for bar in state.bases}
    trades = [msgspec.structs.replace(trade, received_ns=0) for trade in memory.standing()]
    return state.from_ordinal, len(memory), bases, trades


@examples(120)
@given(st.integers(0, 2**32), st.integers(0, 150), st.integers(1, 50), st.integers(0, 200))
def test_the_view_and_a_shard_have_the_same_minutes_and_remember_the_same(
    seed: int, length: int, rows_per_block: int, second: int
) -> None:
    source = BlockRows(lines_of(seed, length), rows_per_block)
    first = a_view(source)
    watches = {START_NS: [warm_watch(first, symbol, START_NS) for symbol in SYMBOLS]}
    end_ns = START_NS + second * SECOND_NS
    items = frames_of(source, watches)
    marks = [index for index, item in enumerate(items) if isinstance(item, Mark) and item.session_ns <= end_ns]
    engine = an_engine()

    applied = engine.apply(items[: marks[-1] + 1] if marks else items[: len(SYMBOLS)])
    kept = applied.take_bars()
    view = a_view(source)
    reached_ns = max(engine.mark_ns, START_NS)

    for symbol in SYMBOLS:
        bars = view.bars([symbol], reached_ns)[symbol]
        assert bars_of(engine, symbol, kept) == {bar.minute_ns: figures(bar) for bar in bars}
        shard_memory = engine.symbols[symbol].bars.memory
        packed = view.remembered([symbol]).get(symbol, b"")
        assert memory_of(packed) == memory_of(b"" if shard_memory is None else shard_memory.packed())


@examples(120)
@given(st.integers(0, 2**32), st.integers(20, 150), st.integers(1, 50), st.integers(1, 200))
def test_a_symbol_watched_late_ends_up_with_the_minutes_of_one_watched_from_the_start(
    seed: int, length: int, rows_per_block: int, second: int
) -> None:
    source = BlockRows(lines_of(seed, length), rows_per_block)
    first, second_view = a_view(source), a_view(source)
    at_ns = START_NS + second * SECOND_NS
    whole, late = an_engine(), an_engine()
    since_start = frames_of(source, {START_NS: [warm_watch(first, symbol, START_NS) for symbol in SYMBOLS]})
    items = frames_of(source, {at_ns: [warm_watch(second_view, symbol, at_ns) for symbol in SYMBOLS]})
    began = next((index for index, item in enumerate(items) if isinstance(item, Watch)), None)
    if began is None:
        return

    kept = [whole.apply(since_start).take_bars(), late.apply(items).take_bars()]

    for symbol in SYMBOLS:
        assert bars_of(late, symbol, kept[1]) == bars_of(whole, symbol, kept[0])


def survivors(lines: Sequence[BlockRow]) -> list[BlockRow]:
    """The trades that stand at the end, each as it is then, in the order of arrival; every id is used once."""
    found: list[BlockRow | None] = []
    places: dict[tuple[str | None, str | None, int], int] = {}
    for line in lines:
        key = (line.symbol, line.tape)
        place = places.get((*key, line.original_id)) if line.original_id else None
        old = None if place is None else found[place]
        if line.kind == "trade":
            places[*key, line.trade_id] = len(found)
            found.append(line)
        elif place is None or old is None or old.trade_id != line.original_id:
            continue
        elif line.kind == "cancel":
            found[place] = None
        else:
            places[*key, line.trade_id] = place
            found[place] = old._replace(
                price=line.price, size=line.size, conditions=line.conditions, trade_id=line.trade_id
            )
    return [line for line in found if line is not None]


@examples(120)
@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(1, 50), st.integers(0, 59_999))
def test_a_snapshot_is_that_of_a_market_in_which_only_what_survives_was_traded(
    seed: int, length: int, rows_per_block: int, late_ms: int
) -> None:
    lines = [line._replace(trade_id=number + 1) for number, line in enumerate(lines_of(seed, length))]
    random = Random(seed)
    lines = [line._replace(original_id=random.randrange(number + 1)) for number, line in enumerate(lines)]
    start_ns, end_ns = START_NS + late_ms * MS_NS, lines[-1].recv_ns + 1
    lasting = survivors(lines)
    view = MarketView(BlockRows(lines, rows_per_block), start_ns)
    plain = MarketView(BlockRows([line._replace(trade_id=0) for line in lasting] or [BlockRow(0, "BBB")]), start_ns)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("desk.bars.remembered_trades.MOST", 10_000)
        view.advance(end_ns)
    plain.advance(end_ns)

    seen, expected = view.snapshot(), plain.snapshot()
    for name in ("price", "open", "high", "low", "volume", "trades", "minute_volume", "minute_close"):
        for symbol in expected.symbols:
            place, other = seen.symbols.index(symbol), expected.symbols.index(symbol)
            one, two = getattr(seen, name)[..., place], getattr(expected, name)[..., other]
            np.testing.assert_array_equal(one, two, f"{name} of {symbol}")


def test_the_properties_are_about_late_rows_duplicates_corrections_and_cancels() -> None:
    causes: set[str] = set()
    for seed in range(10):
        source = BlockRows(lines_of(seed, 150))
        engine = an_engine()
        engine.apply(frames_of(source, {START_NS: [Watch(symbol, START_NS, [""]) for symbol in SYMBOLS]}))
        causes |= engine.audit.rejected_trades.keys()

    assert causes == {"late", "duplicate", "unmatched"}


def test_a_repeated_trade_counts_once_for_scanners() -> None:
    lines = [BlockRow(START_MS, trade_id=7), BlockRow(START_MS + 1, trade_id=7), BlockRow(START_MS + 2, trade_id=8)]
    view = a_view(BlockRows(lines))

    view.advance(START_NS + SECOND_NS)

    assert view.snapshot().volume.tolist() == [200.0]
    assert isinstance(next(iter(unpack_trades(view.remembered(["AAA"])["AAA"]).standing())), Trade)  # type: ignore[union-attr]
