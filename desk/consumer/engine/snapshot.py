"""Encode a shard's state for checkpoints and moves, and restore it.

Strategies and matchers are pickled one by one: a strategy that does not pickle is stopped for its symbol and reported,
and the shard's checkpoint is still written.

Tests: tests/desk/consumer/engine/test_engine_restore.py
"""

import pickle
from random import Random

import msgspec

from desk.bars.reference_price import Pricing
from desk.bars.remembered_trades import TradeMemory, restore_trades
from desk.consumer.engine.guard import Guard
from desk.consumer.engine.instance import Instance
from desk.consumer.engine.shard_moves import ShardMoves
from desk.consumer.engine.symbol_state import SymbolState
from desk.consumer.engine.venue_bars import VenueBars
from desk.consumer.matching import Matcher, TradingState
from desk.model.bars import Bar, WorkingBar
from desk.model.checkpoint import NO_TRADES, LoggedTrades
from desk.model.items import GapItem
from desk.model.orders import CancelIntent, Intent, Report, Side
from desk.model.ticks import Quote, Trade
from desk.model.timeframes import Timeframe
from desk.strategy import Position
from desk.telemetry.audit import Audit


class InstanceSnapshot(msgspec.Struct, array_like=True):
    """One strategy on one symbol; `strategy` and `rng` are pickles."""

    entry: str
    strategy: bytes
    number: int
    orders: dict[str, Side]
    position: Position
    wanted: bool
    stopped: bool
    closing: str | None
    rng: bytes | None


class SymbolSnapshot(msgspec.Struct, array_like=True):
    """One symbol; `minutes` are the open and still revisable ones, `lost` the bounds of a `MinuteSet`.

    In moves, not in checkpoints: `series` are the rows of its closed minutes, `changed` the minutes that the keeper
    does not have, and `memory` includes the remembered trades.
    """

    symbol: str
    last_ordinal: int
    last_event: int
    trade: Trade | None
    quote: Quote | None
    pricing: Pricing
    warm: bool
    watched: bool
    scanners: list[str]
    since_ns: int
    repaired_to_ns: int
    minutes: list[WorkingBar]
    lost: list[int]
    matcher: Matcher | None
    instances: list[InstanceSnapshot]
    stops: dict[str, str]
    changed: list[Bar] = []
    series: bytes = b""
    memory: TradeMemory | None = None
    refused_ns: int | None = None
    trading: TradingState = msgspec.field(default_factory=TradingState)
    venue_bars: VenueBars = msgspec.field(default_factory=VenueBars)
    past: dict[Timeframe, bytes] = {}
    history_ns: int = -1
    has_history: bool = False
    awaits_history: bool = False
    ignored: dict[int, int] = {}


class EngineSnapshot(msgspec.Struct, array_like=True):
    """One shard, or its symbols that move, between two items."""

    mark_ns: int
    session_ns: int
    age_ns: int
    degraded: bool
    closed: bool
    closed_to_ns: int
    revisable_from_ns: int
    audit: Audit
    intents: list[Intent | CancelIntent]
    reports: list[Report]
    symbols: list[SymbolSnapshot]
    gaps: list[GapItem] = []
    moves: ShardMoves = msgspec.field(default_factory=ShardMoves)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(EngineSnapshot)
encode_state = _encoder.encode
decode_state = _decoder.decode


class _Marked(msgspec.Struct, array_like=True):
    """The first field of an `EngineSnapshot`."""

    mark_ns: int


_decode_mark = msgspec.msgpack.Decoder(_Marked).decode


def state_mark_ns(state: bytes) -> int:
    """The last mark of the shard that made the encoded state."""
    return _decode_mark(state).mark_ns


def ordinals_of(state: bytes) -> dict[str, int]:
    """The ordinals of the last ticks in an encoded state, by symbol."""
    return {symbol.symbol: symbol.last_ordinal for symbol in decode_state(state).symbols}


def symbols_of(state: bytes) -> list[str]:
    """The symbols of an encoded state: those whose closed minutes `Engine.restore` needs."""
    return [symbol.symbol for symbol in decode_state(state).symbols]


def pack_symbol(state: SymbolState, guard: Guard) -> SymbolSnapshot:
    """The snapshot of one symbol; strategies that do not pickle are stopped."""
    return SymbolSnapshot(
        state.symbol,
        state.last_ordinal,
        state.last_event,
        state.trade,
        state.quote,
        state.pricing,
        state.warm,
        state.watched,
        state.scanners,
        *state.bars.state(),
        state.matcher,
        [_pack_instance(instance, guard) for instance in state.instances],
        state.stops,
        memory=None if state.bars.memory is None else state.bars.memory.state(whole=False),
        refused_ns=state.refused_ns,
        trading=state.trading,
        venue_bars=state.venue_bars,
        past=state.past,
        history_ns=state.history_ns,
        has_history=state.has_history,
        awaits_history=state.awaits_history,
        ignored=state.bars.ignored,
    )


def unpack_symbol(kept: SymbolSnapshot, closed: list[Bar], trades: LoggedTrades = NO_TRADES) -> SymbolState:
    """The symbol of a snapshot, without its instances; `closed` are its closed minutes, `trades` its logged trades."""
    state = SymbolState(kept.symbol, kept.since_ns, watched=kept.watched)
    state.last_ordinal, state.last_event = kept.last_ordinal, kept.last_event
    state.trade, state.quote, state.pricing = kept.trade, kept.quote, kept.pricing
    state.warm, state.scanners = kept.warm, kept.scanners
    state.matcher, state.stops, state.refused_ns = kept.matcher, kept.stops, kept.refused_ns
    state.trading, state.venue_bars = kept.trading, kept.venue_bars
    state.past, state.history_ns = kept.past, kept.history_ns
    state.has_history, state.awaits_history = kept.has_history, kept.awaits_history
    state.bars.restore(kept.repaired_to_ns, kept.minutes, kept.lost, closed)
    state.bars.ignored = kept.ignored
    state.bars.rows.put_rows(kept.series)
    if kept.memory is not None:
        state.bars.memory = restore_trades(kept.memory, trades)
    return state


def unpack_instance(kept: InstanceSnapshot, instance: Instance, guard: Guard) -> None:
    """Restore a kept state into a fresh instance; a strategy that does not unpickle is stopped."""
    instance.number = kept.number
    instance.orders = kept.orders
    instance.resume(kept.position)
    instance.wanted = kept.wanted
    instance.closing = kept.closing
    if kept.rng is not None:
        instance.random_source = Random()  # noqa: S311 - its state follows
        instance.random_source.setstate(pickle.loads(kept.rng))  # noqa: S301 - this desk's own, from its keeper
    if kept.stopped:
        instance.deactivate()
    else:
        guard.unpickle_strategy(instance, kept.strategy)


def _pack_instance(instance: Instance, guard: Guard) -> InstanceSnapshot:
    rng = instance.random_source
    strategy = guard.pickle_strategy(instance)
    return InstanceSnapshot(
        instance.entry.name,
        strategy,
        instance.number,
        instance.orders,
        instance.position,
        instance.wanted,
        instance.stopped,
        instance.closing,
        None if rng is None else pickle.dumps(rng.getstate()),
    )
