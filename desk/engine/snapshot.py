"""A shard's state as bytes, and back: what a checkpoint carries and a successor starts from.

Strategies and matchers are pickled one by one: a strategy that grew something unpicklable is stopped for its
symbol and reported; it does not cost the shard its checkpoint.
"""

import pickle
from random import Random

import msgspec

from desk.engine.audit import Audit
from desk.engine.instance import Instance
from desk.engine.symbol import SymbolState
from desk.matching import Matcher
from desk.model.bars import Bar
from desk.model.orders import CancelIntent, Intent, Report, Side
from desk.model.ticks import Quote, Trade
from desk.strategy import Position


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
    """One symbol: `minutes` are the open and still revisable ones."""

    symbol: str
    last_ordinal: int
    last_event: int
    trade: Trade | None
    quote: Quote | None
    warm: bool
    watched: bool
    scanners: list[str]
    since_ns: int
    repaired_to_ns: int
    minutes: list[Bar]
    lost: list[int]
    matcher: Matcher | None
    instances: list[InstanceSnapshot]


class EngineSnapshot(msgspec.Struct, array_like=True):
    """One shard, right after some item."""

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


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(EngineSnapshot)
encode_state = _encoder.encode
decode_state = _decoder.decode


def pack_symbol(state: SymbolState) -> SymbolSnapshot:
    """What there is to keep of one symbol. Raises whatever pickling one of its strategies raises."""
    return SymbolSnapshot(
        state.symbol,
        state.last_ordinal,
        state.last_event,
        state.trade,
        state.quote,
        state.warm,
        state.watched,
        state.scanners,
        *state.bars.state(),
        state.matcher,
        [pack_instance(instance) for instance in state.instances],
    )


def pack_instance(instance: Instance) -> InstanceSnapshot:
    """What there is to keep of one instance; of a stopped one the orders and the position only."""
    rng = instance.random_source
    return InstanceSnapshot(
        instance.entry.name,
        b"" if instance.stopped else pickle.dumps(instance.strategy),
        instance.number,
        instance.orders,
        instance.position,
        instance.wanted,
        instance.stopped,
        instance.closing,
        None if rng is None else pickle.dumps(rng.getstate()),
    )


def unpack_instance(kept: InstanceSnapshot, instance: Instance) -> None:
    """Put a kept state into a fresh instance. The pickles are this desk's own, from its keeper."""
    if kept.strategy:
        instance.strategy = pickle.loads(kept.strategy)  # noqa: S301 - written by this desk, see above
    instance.number = kept.number
    instance.orders = kept.orders
    instance.position = kept.position
    instance.wanted = kept.wanted
    instance.stopped = kept.stopped
    instance.closing = kept.closing
    if kept.rng is not None:
        instance.random_source = Random()  # noqa: S311 - its state follows
        instance.random_source.setstate(pickle.loads(kept.rng))  # noqa: S301 - as above
