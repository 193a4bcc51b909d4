"""The cost of a shard's checkpoints and of moving its state, in bytes and milliseconds. One process, no Ray.

    python -m benchmarks.checkpoint_cost [--symbols N ...] [--seconds S] [--events-per-symbol R] [--every-s E]

One shard owns all symbols, with the three example strategies on each. A checkpoint is made as in `desk.consumer.shard`:
closed bars and the engine's snapshot, encoded; `--every-s` is [flow] checkpoint_s, in session time. At the end all
symbols move to another shard in one move: `handover_kb` is the size of the state that is sent. (A live desk moves a few
slots at a time.) The garbage collector runs at the same points as in a consumer.
"""

import argparse
from collections.abc import Sequence
from statistics import median
from time import perf_counter_ns
from typing import Any, Final

from benchmarks.results import print_results
from desk.config import Plan
from desk.consumer.engine import Engine, Outcome
from desk.flow.routing_table import SLOTS
from desk.model.checkpoint import Checkpoint, encode_checkpoint, pack_bars
from desk.model.items import Adopt, Item, Mark, Release, Watch, encode_items
from desk.model.session import Session
from desk.model.ticks import Quote, Trade
from desk.model.units import MS_NS, SECOND_NS
from desk.process.garbage_collector import GarbageCollector
from desk.wiring import shard_factory

START_NS: Final = 1_381_152_600 * SECOND_NS
STRATEGIES: Final = (
    "strategies.examples.opening_range:OpeningRange",
    "strategies.examples.mean_reversion:MeanReversion",
    "strategies.examples.pressure:Pressure",
)


def measure(symbols: int, seconds: int, events_per_symbol: float, every_s: int) -> dict[str, Any]:
    """Return the row for one number of symbols: work per second of session time, and the cost of checkpoints."""
    engine = _engine()
    names = [f"CK{number:05d}" for number in range(symbols)]
    pending = engine.apply([Watch(name, START_NS, [""]) for name in names])
    taken: list[tuple[int, int, int]] = []
    applied_ns = events = 0
    collector = GarbageCollector()
    for second in range(1, seconds + 1):
        items = _second_of(names, second, events_per_symbol)
        events += len(items) - 1
        began_ns = perf_counter_ns()
        pending = engine.apply(items, pending)
        pending.take_request(engine.prices(), engine.mark_ns)
        applied_ns += perf_counter_ns() - began_ns
        collector.on_mark(engine.mark_ns)
        if second % every_s == 0:
            taken.append(_checkpoint(engine, pending, len(taken) + 1))
    handover = _handover(engine, pending)
    collector.release()
    snapshots_ns, encodings_ns, sizes = zip(*taken, strict=True)
    checkpoint_ms = median([a + b for a, b, _ in taken]) / MS_NS
    applied_ms = applied_ns / MS_NS / seconds
    per_s = checkpoint_ms / every_s
    return {
        "what": f"{symbols:,} symbols, {len(STRATEGIES)} strategies",
        "events_per_s": round(events / seconds),
        "apply_ms_per_s": round(applied_ms, 2),
        "snapshot_p50_ms": round(median(snapshots_ns) / MS_NS, 3),
        "encode_p50_ms": round(median(encodings_ns) / MS_NS, 3),
        "checkpoint_p50_ms": round(checkpoint_ms, 3),
        "checkpoint_max_ms": round(max(a + b for a, b, _ in taken) / MS_NS, 3),
        "checkpoint_kb": round(median(sizes) / 1024, 1),
        "kb_per_s": round(sum(sizes) / 1024 / seconds, 1),
        "ms_per_s": round(per_s, 3),
        "share_of_a_core_pct": round(per_s / 10, 2),
        "share_of_the_work_pct": round(100 * per_s / (per_s + applied_ms), 1),
        **handover,
    }


def _handover(engine: Engine, pending: Outcome) -> dict[str, Any]:
    """Move all symbols to a new engine: size of the state, and time on either side."""
    slots = list(range(SLOTS))
    mark = Mark(engine.mark_ns, engine.mark_ns)
    began_ns = perf_counter_ns()
    engine.apply([Release(1, slots, 1)], pending)
    released_ns = perf_counter_ns()
    state = engine.released[1].state
    other = _engine()
    other.apply([mark])
    adopt = Adopt(1, slots, state, encode_items([mark]))
    adopts_ns = perf_counter_ns()
    other.apply([adopt])
    return {
        "handover_kb": round(len(state) / 1024, 1),
        "release_ms": round((released_ns - began_ns) / MS_NS, 1),
        "adopt_ms": round((perf_counter_ns() - adopts_ns) / MS_NS, 1),
    }


def _engine() -> Engine:
    plan = Plan.model_validate({"session": {"name": "bench"}, "strategies": [{"use": use} for use in STRATEGIES]})
    session = Session("bench", "2013-10-07", "America/New_York", START_NS, None, None, (), ("*",), False, False)
    return shard_factory.build_engine(plan, session)


def _second_of(names: Sequence[str], second: int, events_per_symbol: float) -> list[Item]:
    """The items of one second: every symbol's trades and quotes in turn, then the mark."""
    items: list[Item] = []
    now_ns = START_NS + second * SECOND_NS
    for place, name in enumerate(names):
        # A phase per symbol, so that every second has the same number of events.
        first, last = (int((turn + place / len(names)) * events_per_symbol) for turn in (second - 1, second))
        for ordinal in range(first + 1, last + 1):
            price = 100.0 + (7 * ordinal + place) % 50 / 100
            ts_ns = now_ns - SECOND_NS // 2
            if ordinal % 2:
                items.append(Trade(ordinal, name, ts_ns, ts_ns, price, 100.0))
            else:
                items.append(Quote(ordinal, name, ts_ns, ts_ns, price - 0.01, 500.0, price + 0.01, 300.0))
    items.append(Mark(now_ns, now_ns, 0, 0))
    return items


def _checkpoint(engine: Engine, pending: Outcome, number: int) -> tuple[int, int, int]:
    """Take a checkpoint; return ns of the snapshot, ns of the encoding, and its bytes."""
    began_ns = perf_counter_ns()
    bars, state = pending.take_bars(), engine.checkpoint(pending).state
    taken_ns = perf_counter_ns()
    encoded = encode_checkpoint(Checkpoint(0, 1, number, engine.mark_ns, number, pack_bars(bars), state))
    return taken_ns - began_ns, perf_counter_ns() - taken_ns, len(encoded)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, nargs="+", default=[600, 11_000])
    parser.add_argument("--seconds", type=int, default=130, help="session time; the default closes two minutes")
    parser.add_argument("--events-per-symbol", type=float, default=0.5, help="per second")
    parser.add_argument("--every-s", type=int, default=1)
    chosen = parser.parse_args()
    rows = [measure(count, chosen.seconds, chosen.events_per_symbol, chosen.every_s) for count in chosen.symbols]
    print_results("benchmarks.checkpoint_cost", rows)


if __name__ == "__main__":
    main()
