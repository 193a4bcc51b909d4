"""Slot moves on a live market: their cost for moved and other symbols, and the gain from rebalancing.

    python -m benchmarks.rebalance [--part pauses evacuation skew search] [--rate R] [--seconds S] [--consumers N]
                                   [--symbols N] [--busy-us U]

pauses      the standard load at R events/s; in the second half, slots move at random. A pause is the time from fence
            to adoption.
evacuation  the same load; at half time, all slots of one shard move to the others.
skew        few symbols with Zipf rates, the hottest ones all on one shard, with and without rebalancing: ticks of the
            busiest shard over the mean, at the end.
search      as skew: the highest rate sustained.
"""

import argparse
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from actors.driver.monitor import PRODUCER
from actors.driver.supervisor import Supervisor
from actors.producer import ProducerStats
from benchmarks.desk_trial import DeskOptions, DeskRun, run
from benchmarks.load import SYMBOLS, Venue, standard
from benchmarks.results import print_results
from benchmarks.series import between
from benchmarks.sustained import highest
from benchmarks.trial import Sample, Timing
from benchmarks.varying import Stretch, varying
from desk.consumer.shard_stats import ShardStats
from desk.flow.routing_table import slot_of
from desk.model.units import MS_NS
from desk.producer.stats import LoopStats
from desk.telemetry.histogram import Histogram, HistogramSnapshot, counted_since

PARTS: Final = ("pauses", "evacuation", "skew", "search")
FEW_SYMBOLS: Final = 60
HOTTEST_SYMBOLS: Final = 12
HOT_SHARD: Final = 0
SLOTS_AT_ONCE: Final = 4
REBALANCE_S: Final = 12.0
"""Time for the rebalancer to act before the window starts."""

SPARE_S: Final = 30.0
"""A load of limited duration lasts this much longer than warm-up and window."""

START_RATE: Final = 12_000.0


@dataclass
class TicksByShard:
    """The ticks that each shard had applied at each poll."""

    polls: list[tuple[float, dict[int, int]]] = field(default_factory=list)

    def poll(self, supervisor: Supervisor) -> None:
        """Record the current counts."""
        found = [stats for stats in supervisor.stats.values() if isinstance(stats, ShardStats)]
        self.polls.append((time.monotonic(), {stats.shard: stats.audit.trades + stats.audit.quotes for stats in found}))

    def busiest_to_mean(self, last_s: float) -> float | None:
        """Ticks of the busiest shard over the mean, in the last `last_s` seconds; None if nothing was applied."""
        end_s, last = self.polls[-1]
        first = next(ticks for at_s, ticks in self.polls if at_s >= end_s - last_s)
        grown = [ticks - first.get(shard, 0) for shard, ticks in last.items()]
        total = sum(grown)
        return round(max(grown) * len(grown) / total, 3) if total else None


class RandomMoves:
    """Requests random slot moves from `from_s` after the first event on."""

    def __init__(self, from_s: float, consumers: int, symbols: int) -> None:
        self._from_s = from_s
        self._consumers = consumers
        self._began_s: float | None = None
        self._random = random.Random(1)  # noqa: S311 - reproducible
        self._busy = sorted({slot_of(symbol) for symbol in _names(symbols)})
        self.seen: LoopStats | None = None

    def poll(self, supervisor: Supervisor) -> None:
        """Request moves if they are due."""
        self.seen = _loop(supervisor)
        now_s = time.monotonic()
        if self._began_s is None and any(self.seen.received.values()):
            self._began_s = now_s
        if self._began_s is not None and now_s >= self._began_s + self._from_s:
            slots = self._random.sample(self._busy, SLOTS_AT_ONCE)
            supervisor.move(slots, self._random.randrange(self._consumers))


class ShardEvacuation:
    """Moves all slots of HOT_SHARD away once, `from_s` after the first event, and measures how long that takes."""

    def __init__(self, from_s: float, consumers: int) -> None:
        self._from_s = from_s
        self._others = [shard for shard in range(consumers) if shard != HOT_SHARD]
        self._began_s: float | None = None
        self._left_s: float | None = None
        self.slots: list[int] = []
        self.took_s: float | None = None
        self.seen: LoopStats | None = None

    def poll(self, supervisor: Supervisor) -> None:
        """Request the moves if they are due, and check whether they are done."""
        self.seen = _loop(supervisor)
        now_s = time.monotonic()
        if self._began_s is None and any(self.seen.received.values()):
            self._began_s = now_s
        if self._left_s is not None:
            if self.took_s is None and HOT_SHARD not in self.seen.owners:
                self.took_s = now_s - self._left_s
        elif self._began_s is not None and now_s >= self._began_s + self._from_s:
            self._left_s = now_s
            self.slots = [slot for slot, owner in enumerate(self.seen.owners) if owner == HOT_SHARD]
            for place, other in enumerate(self._others):
                supervisor.move(self.slots[place :: len(self._others)], other)


class HotShard:
    """Moves the hottest symbols to one shard, once, and counts moves and ticks."""

    def __init__(self) -> None:
        self.ticks = TicksByShard()
        self.moves = 0
        self._crowded = False

    def poll(self, supervisor: Supervisor) -> None:
        """Request the moves at the first poll; record the counts."""
        if not self._crowded:
            self._crowded = True
            supervisor.move(sorted(map(slot_of, _names(HOTTEST_SYMBOLS))), HOT_SHARD)
        self.moves = _loop(supervisor).moves
        self.ticks.poll(supervisor)


def pauses(rate: float, seconds: float, consumers: int, symbols: int) -> dict[str, Any]:
    """Pauses of moved symbols, and time in queue of all symbols before and during the moves."""
    timing = Timing(rate, 2 * seconds)
    moving = RandomMoves(timing.warm_s + seconds, consumers, symbols)
    with _venue(rate, timing, symbols) as venue:
        done = run(venue, DeskOptions(consumers), timing, moving.poll)
    return {
        "what": f"{rate:,.0f}/s, {consumers} consumers, {SLOTS_AT_ONCE} slots of {symbols:,} symbols at a time",
        **_move_figures(done, timing.warm_s + seconds, moving.seen),
    }


def evacuation(rate: float, seconds: float, consumers: int, symbols: int) -> dict[str, Any]:
    """The same figures for the evacuation of one shard; `took_s` is None if it was not done by the end."""
    timing = Timing(rate, 2 * seconds)
    evacuating = ShardEvacuation(timing.warm_s + seconds, consumers)
    with _venue(rate, timing, symbols) as venue:
        done = run(venue, DeskOptions(consumers), timing, evacuating.poll)
    slots = frozenset(evacuating.slots)
    return {
        "what": f"{rate:,.0f}/s, {consumers} consumers, all slots of one of them, {symbols:,} symbols",
        "slots": len(slots),
        "symbols_moved": sum(slot_of(symbol) in slots for symbol in _names(symbols)),
        "took_s": None if evacuating.took_s is None else round(evacuating.took_s, 1),
        **_move_figures(done, timing.warm_s + seconds, evacuating.seen),
    }


def _venue(rate: float, timing: Timing, symbols: int) -> Venue:
    """The standard load, or one like it with another number of symbols."""
    if symbols == SYMBOLS:
        return Venue(standard(rate))
    return Venue(varying([Stretch(rate, timing.warm_s + timing.window_s + SPARE_S)], symbols=symbols, mix="trades"))


def _names(symbols: int) -> list[str]:
    return [f"LD{number:04d}" for number in range(symbols)]


def _move_figures(done: DeskRun, middle_s: float, seen: LoopStats | None) -> dict[str, Any]:
    """Figures of a run with moves from `middle_s` on."""
    paused = Histogram.of(seen.pauses if seen else HistogramSnapshot())
    samples = done.trial.samples
    return {
        "moves": seen.moves if seen else 0,
        **{f"pause_{name}_ms": _ms(paused.quantile(q)) for name, q in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))},
        **_queue("before", between(samples, 0, middle_s)),
        **_queue("during", between(samples, middle_s, float("inf"))),
        "dropped": done.trial.accounts()["dropped"],
        "balanced": done.summary.balanced,
    }


def run_with_hot_shard(rate: float, seconds: float, options: DeskOptions) -> tuple[DeskRun, HotShard]:
    """Run a trial with the hottest symbols on one shard. The window starts after REBALANCE_S."""
    hot_shard = HotShard()
    timing = Timing(rate, seconds, warm_s=REBALANCE_S)
    with _venue(rate, timing, FEW_SYMBOLS) as venue:
        return run(venue, options, timing, hot_shard.poll), hot_shard


def skew(rate: float, seconds: float, options: DeskOptions) -> dict[str, Any]:
    """How unevenly the shards are loaded at the end of the run."""
    done, hot_shard = run_with_hot_shard(rate, seconds, options)
    row = done.row()
    return {
        "what": f"{rate:,.0f}/s, {_rebalancing(options)}",
        "busiest_to_mean": hot_shard.ticks.busiest_to_mean(seconds),
        "moves": hot_shard.moves,
        **{name: row[name] for name in ("applied_per_s", "queue_p50_ms", "queue_p99_ms", "dropped", "sustained")},
        "balanced": row["balanced"],
    }


def search(start: float, seconds: float, options: DeskOptions) -> dict[str, Any]:
    """The highest rate sustained with the hottest symbols on one shard."""
    best = highest(lambda rate: not run_with_hot_shard(rate, seconds, options)[0].trial.window().failing(), start)
    return {"what": _rebalancing(options), "sustained_per_s": round(best)}


def _rebalancing(options: DeskOptions) -> str:
    return "rebalanced" if options.rebalance else "not rebalanced"


def _loop(supervisor: Supervisor) -> LoopStats:
    stats: ProducerStats = supervisor.stats[PRODUCER]
    return stats.loop


def _queue(name: str, samples: list[Sample]) -> Mapping[str, float | None]:
    """Quantiles of time in queue between the first and the last sample."""
    queue = counted_since(samples[-1].reading.queue, samples[0].reading.queue) if len(samples) > 1 else Histogram()
    return {f"queue_p{round(100 * q)}_ms_{name}": _ms(queue.quantile(q)) for q in (0.5, 0.95, 0.99)}


def _ms(value_ns: int | None) -> float | None:
    return None if value_ns is None else round(value_ns / MS_NS, 2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rate", type=float, default=50_000.0, help="for pauses and evacuation")
    parser.add_argument("--symbols", type=int, default=SYMBOLS, help="for pauses and evacuation")
    parser.add_argument("--skewed-rate", type=float, default=START_RATE, help="for skew, and the start of the search")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--consumers", type=int, default=2)
    parser.add_argument("--busy-us", type=float, default=50.0, help="time of a strategy per trade, for skew and search")
    options = parser.parse_args()
    busy = ({"use": "benchmarks.strategies:SlowOnTrades", "params": {"busy_us": options.busy_us}},)
    desks = [DeskOptions(options.consumers, strategies=busy, rebalance=on) for on in (False, True)]
    for part, measure in (("pauses", pauses), ("evacuation", evacuation)):
        if part in options.part:
            row = measure(options.rate, options.seconds, options.consumers, options.symbols)
            print_results("benchmarks.rebalance", [row], part=part)
    if "skew" in options.part:
        rows = [skew(options.skewed_rate, options.seconds, desk) for desk in desks]
        print_results("benchmarks.rebalance", rows, part="skew", busy_us=options.busy_us)
    if "search" in options.part:
        rows = [search(options.skewed_rate, options.seconds, desk) for desk in desks]
        print_results("benchmarks.rebalance", rows, part="search", busy_us=options.busy_us)


if __name__ == "__main__":
    main()
