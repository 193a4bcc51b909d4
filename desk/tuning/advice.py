"""Consumers, capacity, linger and window for a load, from the costs of ticks, strategies and calls."""

from collections.abc import Mapping
from math import ceil, floor, inf
from typing import Final

import msgspec

from desk.flow.routing_table import RoutingTable
from desk.model.batch import MAX_BATCH_BYTES
from desk.tuning.market_load import MarketLoad

TARGET_BUSY: Final = 0.6
CALL_MS: Final = 0.45
"""CPU time of an actor call on each side, whatever its payload: 0.3 to 0.6 ms, measured on two cores with Ray 2.60."""

CALLS_SHARE: Final = 0.2
ROUND_TRIP_MS: Final = 2.0
FILL_SHARE: Final = 0.9

LEAST_LINGER_MS: Final = 1.0
MOST_LINGER_MS: Final = 16.0
LEAST_WINDOW: Final = 4
MOST_WINDOW: Final = 1024
CAPACITY_STEP: Final = 1000
LEAST_CAPACITY: Final = 5000
MOST_CAPACITY: Final = 10_000_000


class Costs(msgspec.Struct, frozen=True):
    """Costs in µs of one core: per tick in producer and shard, per symbol and session second in strategies.

    `tick_bytes` is a tick's size in a batch.
    """

    producer_us: float
    shard_us: float
    strategy_us: float
    tick_bytes: float


class AdviceBounds(msgspec.Struct, frozen=True):
    """The bounds of the advice: the plan's greatest number of consumers; capacity for `safety` times the burst."""

    max_consumers: int
    safety: float = 2.0


class BusiestLane(msgspec.Struct, frozen=True):
    """The busiest of the lanes: its share of all ticks, how many symbols it has, and its busiest symbol's share."""

    share: float
    symbols: int
    symbol: str
    symbol_share: float


class LingerAdvice(msgspec.Struct, frozen=True):
    """The linger and the four bounds it comes from, in ms: it is the least that is not below the first three.

    `producer_ms` and `shard_ms` keep the cost of calls affordable on either side; 0 if even one call per tick is.
    `most_ms` is the time in which a batch fills: a longer linger would slow the lane down.
    """

    value_ms: float
    producer_ms: float
    shard_ms: float
    most_ms: float


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """The advice; `work` is in cores, `needed` the consumers before the plan's bound, `producer_work` without calls.

    `batch_ticks` fit into one batch.
    """

    producer_work: float
    work: float
    needed: int
    consumers: int
    busiest: BusiestLane
    capacity: int
    batch_ticks: int
    linger: LingerAdvice
    window: int


def advise(load: MarketLoad, costs: Costs, bounds: AdviceBounds) -> Advice:
    """Compute the advice for the load's burst."""
    rate = load.burst.per_s
    work = (rate * costs.shard_us + len(load.by_symbol) * costs.strategy_us) / 1e6
    needed = max(1, ceil(round(work / TARGET_BUSY, 6)))
    consumers = min(needed, bounds.max_consumers)
    busiest = busiest_lane(load.by_symbol, consumers)
    lane_rate = rate * busiest.share
    producer_work = rate * costs.producer_us / 1e6
    batch_ticks = max(1, int(FILL_SHARE * MAX_BATCH_BYTES / costs.tick_bytes))
    linger = choose_linger(rate, lane_rate, consumers, producer_work, batch_ticks)
    return Advice(
        producer_work=producer_work,
        work=work,
        needed=needed,
        consumers=consumers,
        busiest=busiest,
        capacity=choose_capacity(load.window_s * lane_rate * bounds.safety),
        batch_ticks=batch_ticks,
        linger=linger,
        window=choose_window(linger.value_ms),
    )


def busiest_lane(by_symbol: Mapping[str, int], consumers: int) -> BusiestLane:
    """The lane with most of these ticks, if so many shards share the symbols by the producer's first assignment."""
    table = RoutingTable.even(range(consumers))
    total = max(sum(by_symbol.values()), 1)
    ticks = [0] * consumers
    symbols: list[list[str]] = [[] for _ in range(consumers)]
    for symbol, count in by_symbol.items():
        shard = table.shard_of(symbol)
        ticks[shard] += count
        symbols[shard].append(symbol)
    lane = max(range(consumers), key=lambda shard: (ticks[shard], len(symbols[shard])))
    top = max(by_symbol, key=lambda symbol: by_symbol[symbol], default="")
    return BusiestLane(ticks[lane] / total, len(symbols[lane]), top, by_symbol.get(top, 0) / total)


def choose_capacity(ticks: float) -> int:
    """The number of ticks rounded up to the next thousand, within the limits of a lane's capacity."""
    stepped = CAPACITY_STEP * ceil(ticks / CAPACITY_STEP)
    return min(max(stepped, LEAST_CAPACITY), MOST_CAPACITY)


def choose_linger(
    rate: float, lane_rate: float, consumers: int, producer_work: float, batch_ticks: int
) -> LingerAdvice:
    """The least linger at which calls fit in the producer's time left by ticks, and in CALLS_SHARE of a shard."""
    spare = TARGET_BUSY - producer_work
    producer_ms = _calls_fit(rate, consumers, spare)
    shard_ms = _calls_fit(lane_rate, 1, CALLS_SHARE)
    most_ms = 1000 * batch_ticks / lane_rate if lane_rate else inf
    wanted_ms = ceil(10 * max(LEAST_LINGER_MS, min(max(producer_ms, shard_ms), MOST_LINGER_MS)) - 1e-6) / 10
    value_ms = wanted_ms if wanted_ms <= most_ms else max(floor(10 * most_ms), 1) / 10
    return LingerAdvice(value_ms, producer_ms, shard_ms, most_ms)


def choose_window(linger_ms: float) -> int:
    """Twice the batches in flight during a round trip, because acks are polled when the window is half full."""
    return min(max(LEAST_WINDOW, 2 * ceil(ROUND_TRIP_MS / linger_ms)), MOST_WINDOW)


def calls_work(rate: float, lanes: int, linger_ms: float) -> float:
    """Cores used by the calls of so many lanes on one side: one call per linger and lane, at most one per tick."""
    return min(lanes * 1000 / linger_ms, rate) * CALL_MS / 1000


def _calls_fit(rate: float, lanes: int, spare: float) -> float:
    """The least linger at which so many lanes' calls take no more than `spare` of a core, in ms."""
    if rate * CALL_MS / 1000 <= spare:
        return 0.0
    return lanes * CALL_MS / spare if spare > 0 else inf
