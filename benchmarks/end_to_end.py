"""The desk under load: venue → producer → consumers, with bars, and a strategy called per symbol and second.

    python -m benchmarks.end_to_end [--rate R ...] [--consumers N] [--seconds S] [--single] [--linger-ms L]
                                    [--slow-us U] [--search]

One row per rate. `--search` raises the first rate by a quarter until it is no longer sustained.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from benchmarks.desk_trial import DeskOptions, DeskRun, one_slow, run
from benchmarks.load import Venue, standard
from benchmarks.results import print_results
from benchmarks.sustained import highest
from benchmarks.trial import Timing


def at_rate(rate: float, options: DeskOptions, *, single: bool, seconds: float) -> DeskRun:
    """Run one trial of the standard load."""
    with Venue(standard(rate, single=single)) as venue:
        return run(venue, options, Timing(rate, seconds))


def measure(
    rates: Sequence[float], options: DeskOptions, *, single: bool, seconds: float, search: bool = False
) -> list[dict[str, Any]]:
    """Return one row per rate tried."""
    rows = []

    def sustains(rate: float) -> bool:
        done = at_rate(rate, options, single=single, seconds=seconds)
        rows.append({"what": row_label(options, rate, single=single), **done.row()})
        return not done.trial.window().failing()

    if search:
        best = highest(sustains, rates[0])
        rows.append({"what": f"sustained: {best:,.0f}/s"})
    else:
        for rate in rates:
            sustains(rate)
    return rows


def row_label(options: DeskOptions, rate: float, *, single: bool) -> str:
    """The row's `what`: options, rate and frames."""
    frames = "single frames" if single else "1 ms frames"
    return f"desk, {options.consumers} consumers, {rate:,.0f}/s, {frames}, linger {options.linger_ms:g} ms"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, nargs="+", default=[400, 100_000, 200_000])
    parser.add_argument("--consumers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--linger-ms", type=float, default=1.0)
    parser.add_argument("--slow-us", type=float, default=0.0, help="time per call of one consumer's strategies")
    parser.add_argument("--search", action="store_true")
    chosen = parser.parse_args()
    options = DeskOptions(chosen.consumers, chosen.linger_ms)
    if chosen.slow_us:
        options = DeskOptions(chosen.consumers, chosen.linger_ms, strategies=one_slow(chosen.consumers, chosen.slow_us))
    rows = measure(chosen.rate, options, single=chosen.single, seconds=chosen.seconds, search=chosen.search)
    print_results("benchmarks.end_to_end", rows)


if __name__ == "__main__":
    main()
