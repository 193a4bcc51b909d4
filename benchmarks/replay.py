"""A replay at full speed: one plain loop (the lower bound), the desk in one process, the desk on Ray.

    python -m benchmarks.replay [TAPE] [--consumers N] [--minutes M]

Without a tape it plays M minutes of the made-up market. All three process the same events and build the same bars.
The desk's rates are measured between its start and the close of the session.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.results import print_results
from desk.bars.builder import BarBuilder
from desk.config import Plan
from desk.feeds.frames import frames_of
from desk.inprocess.in_process_desk import run_in_process
from desk.model.ticks import Trade
from desk.process.clock import SystemClock
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.wiring import markets, plan_session


def plan_for(tape: str | None, minutes: int, consumers: int, strategies: bool) -> Plan:
    """All symbols, no scanners; with or without the example strategies in lockstep."""
    feed: dict[str, Any] = {"kind": "tape", "path": tape} if tape else {"synthetic": {"minutes": minutes}}
    examples = ("opening_range:OpeningRange", "mean_reversion:MeanReversion", "pressure:Pressure")
    return Plan.model_validate(
        {
            "session": {"name": "bench"},
            "feed": feed,
            "consumers": {"count": consumers},
            "strategies": [{"use": f"strategies.examples.{name}"} for name in examples] if strategies else [],
        }
    )


def floor(plan: Plan) -> dict[str, Any]:
    """Decode and build bars in one loop: no lane, no shard, no actor."""
    source = markets.market_source(plan)
    session = plan_session.derive_session(plan, source, SystemClock())
    feed = markets.market_feed(plan, session, markets.market_source(plan, session), SystemClock())
    feed.subscribe(session.always)
    builders = {symbol: BarBuilder(symbol, session.start_ns) for symbol in session.market}
    quotes = {}
    began_s = time.perf_counter()
    for frame in frames_of(feed, SystemClock()):
        for tick in frame.ticks:
            if type(tick) is Trade:
                builders[tick.symbol].add(tick, 0)
            else:
                quotes[tick.symbol] = tick
    return _row("floor: decode and bars in one loop", sum(feed.counts.received.values()), time.perf_counter() - began_s)


def desk_row(what: str, summary: Summary, marks: int) -> dict[str, Any]:
    """The row of a desk, from its summary."""
    events = sum(counts.received for counts in summary.ticks.by_class().values())
    seconds = events / summary.events_per_s.produced
    return _row(what, events, seconds) | {
        "ms_per_mark": round(1e3 * seconds / marks, 3),
        "balanced": str(summary.balanced),
    }


def on_ray(plan: Plan, folder: RunFolder) -> Summary:
    """Run the desk on its own Ray cluster."""
    from actors.driver.supervisor import run_desk  # noqa: PLC0415 - the other rows need no Ray

    return run_desk(plan, folder, address=None, show=lambda _: None)


def measure(tape: str | None, minutes: int, consumers: int) -> list[dict[str, Any]]:
    """Return all rows."""
    bare = plan_for(tape, minutes, consumers, strategies=False)
    busy = plan_for(tape, minutes, consumers, strategies=True)
    session = plan_session.derive_session(bare, markets.market_source(bare), SystemClock())
    marks = ((session.end_ns or session.start_ns) - session.start_ns) // 1_000_000_000
    rows = [floor(bare)]
    for plan, what in ((bare, "no strategies"), (busy, "three strategies in lockstep")):
        for place, run in (("one process", lambda p, f: run_in_process(p, f, show=lambda _: None)), ("Ray", on_ray)):
            with tempfile.TemporaryDirectory() as parent:
                folder = RunFolder.create(None, Path(parent) / "run", "bench", time.time_ns())
                rows.append(desk_row(f"{place}, {consumers} shards, {what}", run(plan, folder), marks))
    return rows


def _row(what: str, events: int, seconds: float) -> dict[str, Any]:
    return {"what": what, "events": events, "seconds": round(seconds, 3), "events_per_s": round(events / seconds)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tape", nargs="?")
    parser.add_argument("--consumers", type=int, default=2)
    parser.add_argument("--minutes", type=int, default=5)
    options = parser.parse_args()
    print_results("benchmarks.replay", measure(options.tape, options.minutes, options.consumers), tape=options.tape)


if __name__ == "__main__":
    main()
