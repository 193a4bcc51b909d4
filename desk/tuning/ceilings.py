"""The ceilings of a desk: the rate at which each of its parts is saturated.

Tests: tests/desk/tuning/test_advice.py
"""

from math import inf

import msgspec

from desk.tuning.advice import TARGET_BUSY, Advice, Costs, calls_work
from desk.tuning.market_load import MarketLoad


class Ceiling(msgspec.Struct, frozen=True):
    """The most ticks per second of the whole market that one part can process, if no other part limits."""

    part: str
    per_s: float


def ceilings(load: MarketLoad, costs: Costs, advice: Advice) -> list[Ceiling]:
    """All parts, the most limiting first; symbols keep their shares of the burst.

    The ceiling of the busiest symbol assumes a shard of its own: more consumers do not raise it.
    """
    busiest, linger_ms = advice.busiest, advice.linger.value_ms
    producer_calls = calls_work(load.burst.per_s, advice.consumers, linger_ms)
    shard_calls = calls_work(load.burst.per_s * busiest.share, 1, linger_ms)
    shard_left = 1 - shard_calls - busiest.symbols * costs.strategy_us / 1e6
    symbol_left = 1 - shard_calls - costs.strategy_us / 1e6
    parts = [
        Ceiling("the producer", _rate(1 - producer_calls, costs.producer_us)),
        Ceiling("the busiest shard", _rate(shard_left, costs.shard_us * busiest.share)),
        Ceiling(
            f"the busiest symbol ({busiest.symbol}), which cannot be split",
            _rate(symbol_left, costs.shard_us * busiest.symbol_share),
        ),
        Ceiling(
            "full batches, one per linger and lane", _rate(1000 * advice.batch_ticks / linger_ms, busiest.share, 1)
        ),
    ]
    return sorted(parts, key=lambda ceiling: ceiling.per_s)


def shard_busy(load: MarketLoad, costs: Costs, advice: Advice) -> float:
    """The fraction of its time that the busiest shard works in the burst, calls included."""
    lane_rate = load.burst.per_s * advice.busiest.share
    work = (lane_rate * costs.shard_us + advice.busiest.symbols * costs.strategy_us) / 1e6
    return work + calls_work(lane_rate, 1, advice.linger.value_ms)


def producer_busy(load: MarketLoad, advice: Advice) -> float:
    """The fraction of its time that the producer works in the burst, calls included."""
    return advice.producer_work + calls_work(load.burst.per_s, advice.consumers, advice.linger.value_ms)


def concerns(load: MarketLoad, costs: Costs, advice: Advice, cores: int) -> list[str]:
    """The problems that the advice does not solve, in sentences; `cores` are those of this machine."""
    found = []
    if advice.needed > advice.consumers:
        found.append(
            f"{advice.needed} consumers are needed and [consumers] max allows {advice.consumers}: raise it, or let "
            f"strategies and symbols be fewer"
        )
    if advice.consumers + 1 > cores:
        found.append(
            f"{advice.consumers} consumers and the producer want a core each in the burst, and this machine has {cores}"
        )
    busy = producer_busy(load, advice)
    if busy > TARGET_BUSY:
        found.append(
            f"the producer would be {busy:.0%} busy in the burst: there is only one, so take fewer symbols or no quotes"
        )
    busy = shard_busy(load, costs, advice)
    if busy > TARGET_BUSY and advice.needed == advice.consumers:
        found.append(
            f"the busiest shard would be {busy:.0%} busy in the burst, calls included: it has "
            f"{advice.busiest.share:.0%} of the ticks, and {advice.busiest.symbol} alone, which cannot be split, "
            f"{advice.busiest.symbol_share:.0%}"
        )
    return found


def _rate(left: float, cost: float, per: float = 1e6) -> float:
    """The ticks per second that fit in the time left at this cost per tick; no limit at no cost."""
    return max(left, 0.0) * per / cost if cost > 0 else inf
