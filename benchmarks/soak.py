"""A long, steady load with changing symbols: whether memory grows, and whether the data age.

    python -m benchmarks.soak [--rate R] [--seconds S] [--symbols N] [--rotate-s T] [--consumers N]

A third of the symbols is in play; every T seconds a tenth of those is replaced. Slopes start when every symbol has
been in play once.
"""

import argparse
from typing import Any, Final

from benchmarks.desk_trial import DeskOptions, run
from benchmarks.load import SYMBOLS, Venue
from benchmarks.results import print_results
from benchmarks.series import age_ms, between, slopes_mb_per_min
from benchmarks.trial import Timing
from benchmarks.varying import Stretch, varying

TURNS_THROUGH_ALL: Final = 20
TAIL_S: Final = 5.0


def measure(rate: float, seconds: float, symbols: int, rotate_s: float, consumers: int) -> dict[str, Any]:
    """Return the trial's figures, with the slopes of memory."""
    stretches = [Stretch(rate, seconds + TAIL_S)]
    with Venue(varying(stretches, symbols=symbols, rotate_s=rotate_s)) as venue:
        done = run(venue, DeskOptions(consumers), Timing(rate, seconds - 2.0))
    samples = done.trial.samples
    steady = between(samples, min(TURNS_THROUGH_ALL * rotate_s, seconds / 2), seconds)
    tenth_s = seconds / 10
    slopes = slopes_mb_per_min(steady)
    first, last = (
        age_ms(part, 0.5) for part in (between(steady, 0, steady[0].since_s + tenth_s), steady[-_tenth(steady) :])
    )
    return {
        "what": f"{rate:,.0f}/s for {seconds:g} s, {symbols} symbols, a turn each {rotate_s:g} s",
        **done.row(),
        "age_p50_ms_first_tenth": first,
        "age_p50_ms_last_tenth": last,
        **{f"rss_mb_per_min_of_{name}": slope for name, slope in sorted(slopes.items())},
    }


def _tenth(samples: list[Any]) -> int:
    return max(len(samples) // 10, 2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=50_000.0)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--symbols", type=int, default=3 * SYMBOLS)
    parser.add_argument("--rotate-s", type=float, default=5.0)
    parser.add_argument("--consumers", type=int, default=2)
    options = parser.parse_args()
    row = measure(options.rate, options.seconds, options.symbols, options.rotate_s, options.consumers)
    print_results("benchmarks.soak", [row])


if __name__ == "__main__":
    main()
