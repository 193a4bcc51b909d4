"""Slots that move while the market goes on: what a move costs those who move and the others, and what levelling gains.

    python -m benchmarks.rebalance [--part pauses exodus skew search] [--rate R] [--seconds S] [--consumers N]
                                   [--symbols N] [--busy-us U]

pauses  standard load at R events/s, of so many symbols; half of the time slots move at random. A pause is from fence
        to adoption.
exodus  the same load; half-way through, everything that one shard has moves to the others.
skew    few symbols by Zipf's law, the hottest of them all on one shard, with and without rebalancing: the busiest
        shard's ticks over the mean, at the end.
search  the same, at the highest rate that is sustained.
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
from benchmarks.frame import publish
from benchmarks.load import SYMBOLS, Venue, standard
from benchmarks.series import between
from benchmarks.sustained import highest
from benchmarks.trial import Sight, Timing
from benchmarks.varying import Stretch, varying
from desk.consumer.shard import ShardStats
from desk.flow.routing_table import slot_of
from desk.model.units import MS_NS
from desk.producer.stats import LoopStats
from desk.telemetry.histogram import Histogram, HistogramSnapshot, counted_since

PARTS: Final = ("pauses", "exodus", "skew", "search")
FEW: Final = 60
HOTTEST: Final = 12
CROWDED: Final = 0
SLOTS_AT_ONCE: Final = 4
LEVEL_S: Final = 12.0
"""So long the rebalancer is given to notice and to act before the window begins."""

SPARE_S: Final = 30.0
"""So much longer than it is looked at lasts a load that ends by itself."""

START_RATE: Final = 12_000.0


@dataclass
class Ticks:
    """What each shard had applied at each look."""

    looks: list[tuple[float, dict[int, int]]] = field(default_factory=list)

    def look(self, supervisor: Supervisor) -> None:
        """Take one look."""
        found = [stats for stats in supervisor.stats.values() if isinstance(stats, ShardStats)]
        self.looks.append((time.monotonic(), {stats.shard: stats.audit.trades + stats.audit.quotes for stats in found}))

    def busiest_to_mean(self, last_s: float) -> float | None:
        """Over the last seconds; None where nothing was applied."""
        end_s, last = self.looks[-1]
        first = next(ticks for at_s, ticks in self.looks if at_s >= end_s - last_s)
        grown = [ticks - first.get(shard, 0) for shard, ticks in last.items()]
        total = sum(grown)
        return round(max(grown) * len(grown) / total, 3) if total else None


class Restless:
    """Lets slots move at random during the second half of the window."""

    def __init__(self, from_s: float, consumers: int, symbols: int) -> None:
        self._from_s = from_s
        self._consumers = consumers
        self._began_s: float | None = None
        self._random = random.Random(1)  # noqa: S311 - to be repeated
        self._busy = sorted({slot_of(symbol) for symbol in _names(symbols)})
        self.seen: LoopStats | None = None

    def look(self, supervisor: Supervisor) -> None:
        """Ask for moves, if it is time."""
        self.seen = _loop(supervisor)
        now_s = time.monotonic()
        if self._began_s is None and any(self.seen.received.values()):
            self._began_s = now_s
        if self._began_s is not None and now_s >= self._began_s + self._from_s:
            slots = self._random.sample(self._busy, SLOTS_AT_ONCE)
            supervisor.move(slots, self._random.randrange(self._consumers))


class Exodus:
    """Lets everything that one shard has move away, once, after a while; how long that takes, as far as looks tell."""

    def __init__(self, from_s: float, consumers: int) -> None:
        self._from_s = from_s
        self._others = [shard for shard in range(consumers) if shard != CROWDED]
        self._began_s: float | None = None
        self._left_s: float | None = None
        self.slots: list[int] = []
        self.took_s: float | None = None
        self.seen: LoopStats | None = None

    def look(self, supervisor: Supervisor) -> None:
        """Ask for the moves, if it is time, and see whether they are done."""
        self.seen = _loop(supervisor)
        now_s = time.monotonic()
        if self._began_s is None and any(self.seen.received.values()):
            self._began_s = now_s
        if self._left_s is not None:
            if self.took_s is None and CROWDED not in self.seen.owners:
                self.took_s = now_s - self._left_s
        elif self._began_s is not None and now_s >= self._began_s + self._from_s:
            self._left_s = now_s
            self.slots = [slot for slot, owner in enumerate(self.seen.owners) if owner == CROWDED]
            for place, other in enumerate(self._others):
                supervisor.move(self.slots[place :: len(self._others)], other)


class Crowd:
    """Lets the hottest symbols come together on one shard, once, and counts."""

    def __init__(self) -> None:
        self.ticks = Ticks()
        self.moves = 0
        self._crowded = False

    def look(self, supervisor: Supervisor) -> None:
        """Take one look; the first one crowds."""
        if not self._crowded:
            self._crowded = True
            supervisor.move(sorted(map(slot_of, _names(HOTTEST))), CROWDED)
        self.moves = _loop(supervisor).moves
        self.ticks.look(supervisor)


def pauses(rate: float, seconds: float, consumers: int, symbols: int) -> dict[str, Any]:
    """Pauses of those who move, and the time in queue of all, before moves and during."""
    timing = Timing(rate, 2 * seconds)
    restless = Restless(timing.warm_s + seconds, consumers, symbols)
    with _venue(rate, timing, symbols) as venue:
        done = run(venue, DeskOptions(consumers), timing, restless.look)
    return {
        "what": f"{rate:,.0f}/s, {consumers} consumers, {SLOTS_AT_ONCE} slots of {symbols:,} symbols at a time",
        **_moved(done, timing.warm_s + seconds, restless.seen),
    }


def exodus(rate: float, seconds: float, consumers: int, symbols: int) -> dict[str, Any]:
    """The same where everything that one shard has moves away; None for its time where that was not done by the end."""
    timing = Timing(rate, 2 * seconds)
    leaving = Exodus(timing.warm_s + seconds, consumers)
    with _venue(rate, timing, symbols) as venue:
        done = run(venue, DeskOptions(consumers), timing, leaving.look)
    slots = frozenset(leaving.slots)
    return {
        "what": f"{rate:,.0f}/s, {consumers} consumers, all that one of them has of {symbols:,} symbols",
        "slots": len(slots),
        "symbols_moved": sum(slot_of(symbol) in slots for symbol in _names(symbols)),
        "took_s": None if leaving.took_s is None else round(leaving.took_s, 1),
        **_moved(done, timing.warm_s + seconds, leaving.seen),
    }


def _venue(rate: float, timing: Timing, symbols: int) -> Venue:
    """The standard load, or one like it of another number of symbols."""
    if symbols == SYMBOLS:
        return Venue(standard(rate))
    return Venue(varying([Stretch(rate, timing.warm_s + timing.window_s + SPARE_S)], symbols=symbols, mix="trades"))


def _names(symbols: int) -> list[str]:
    return [f"LD{number:04d}" for number in range(symbols)]


def _moved(done: DeskRun, middle_s: float, seen: LoopStats | None) -> dict[str, Any]:
    """How it went with moves from the middle on."""
    paused = Histogram.of(seen.pauses if seen else HistogramSnapshot())
    sights = done.trial.sights
    return {
        "moves": seen.moves if seen else 0,
        **{f"pause_{name}_ms": _ms(paused.quantile(q)) for name, q in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))},
        **_queue("before", between(sights, 0, middle_s)),
        **_queue("during", between(sights, middle_s, float("inf"))),
        "dropped": done.trial.accounts()["dropped"],
        "balanced": done.summary.balanced,
    }


def crowded(rate: float, seconds: float, options: DeskOptions) -> tuple[DeskRun, Crowd]:
    """A trial of the crowd; the window begins when there was time to level it."""
    crowd = Crowd()
    timing = Timing(rate, seconds, warm_s=LEVEL_S)
    with _venue(rate, timing, FEW) as venue:
        return run(venue, options, timing, crowd.look), crowd


def skew(rate: float, seconds: float, options: DeskOptions) -> dict[str, Any]:
    """How unevenly the shards are loaded at the end."""
    done, crowd = crowded(rate, seconds, options)
    row = done.row()
    return {
        "what": f"{rate:,.0f}/s, {'rebalanced' if options.rebalance else 'left alone'}",
        "busiest_to_mean": crowd.ticks.busiest_to_mean(seconds),
        "moves": crowd.moves,
        **{name: row[name] for name in ("applied_per_s", "queue_p50_ms", "queue_p99_ms", "dropped", "sustained")},
        "balanced": row["balanced"],
    }


def search(start: float, seconds: float, options: DeskOptions) -> dict[str, Any]:
    """The highest rate that the crowd lets be sustained."""
    best = highest(lambda rate: not crowded(rate, seconds, options)[0].trial.window().failing(), start)
    return {"what": "rebalanced" if options.rebalance else "left alone", "sustained_per_s": round(best)}


def _loop(supervisor: Supervisor) -> LoopStats:
    stats: ProducerStats = supervisor.stats[PRODUCER]
    return stats.loop


def _queue(name: str, sights: list[Sight]) -> Mapping[str, float | None]:
    """Quantiles of the time in queue between the first and the last of these."""
    queue = counted_since(sights[-1].reading.queue, sights[0].reading.queue) if len(sights) > 1 else Histogram()
    return {f"queue_p{round(100 * q)}_ms_{name}": _ms(queue.quantile(q)) for q in (0.5, 0.95, 0.99)}


def _ms(value_ns: int | None) -> float | None:
    return None if value_ns is None else round(value_ns / MS_NS, 2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rate", type=float, default=50_000.0, help="of pauses and exodus")
    parser.add_argument("--symbols", type=int, default=SYMBOLS, help="of pauses and exodus")
    parser.add_argument(
        "--skewed-rate", type=float, default=START_RATE, help="of the skew, and where the search begins"
    )
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--consumers", type=int, default=2)
    parser.add_argument(
        "--busy-us", type=float, default=50.0, help="what a strategy takes for a trade in the skewed load"
    )
    options = parser.parse_args()
    busy = ({"use": "benchmarks.strategies:SlowOnTrades", "params": {"busy_us": options.busy_us}},)
    desks = [DeskOptions(options.consumers, strategies=busy, rebalance=on) for on in (False, True)]
    for part, measure in (("pauses", pauses), ("exodus", exodus)):
        if part in options.part:
            row = measure(options.rate, options.seconds, options.consumers, options.symbols)
            publish("benchmarks.rebalance", [row], part=part)
    if "skew" in options.part:
        rows = [skew(options.skewed_rate, options.seconds, desk) for desk in desks]
        publish("benchmarks.rebalance", rows, part="skew", busy_us=options.busy_us)
    if "search" in options.part:
        rows = [search(options.skewed_rate, options.seconds, desk) for desk in desks]
        publish("benchmarks.rebalance", rows, part="search", busy_us=options.busy_us)


if __name__ == "__main__":
    main()
