"""`make bench`: the live benchmarks once each, in about three minutes.

Windows are short, so the figures are rough; docs/explanation/performance.md has the commands of the full benchmarks.
"""

from benchmarks import baselines, end_to_end, floor, overload, soak
from benchmarks.desk_trial import DeskOptions
from benchmarks.results import print_results

WINDOW_S = 3.0
BASELINES = ("tasks", "batched", "queues", "alpaca")
BASELINE_RATE = 20_000.0


def main() -> None:
    """Measure and print."""
    print_results("benchmarks.floor", floor.measure(200_000, 100_000))
    rates = (400.0, 100_000.0)
    print_results("benchmarks.end_to_end", end_to_end.measure(rates, DeskOptions(), single=False, seconds=WINDOW_S))
    comparison = baselines.Comparison(4, WINDOW_S)
    print_results("benchmarks.baselines", baselines.measure(BASELINES, comparison, BASELINE_RATE, search=False))
    print_results("benchmarks.overload", [overload.case_a(2, busy_us=100.0, seconds=5.0)])
    print_results("benchmarks.soak", [soak.measure(50_000.0, seconds=8.0, symbols=600, rotate_s=0.2, consumers=2)])


if __name__ == "__main__":
    main()
