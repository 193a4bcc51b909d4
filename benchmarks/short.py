"""The short set, what `make bench` runs: the live benchmarks once each, in about three minutes, one after the other.

Windows are short, so the figures are rough; docs/explanation/performance.md names the commands of the full ones.
"""

from benchmarks import baselines, end_to_end, floor, overload, soak
from benchmarks.desk_trial import DeskOptions
from benchmarks.frame import publish

WINDOW_S = 3.0
BESIDE = ("tasks", "batched", "queues", "alpaca")
BESIDE_RATE = 20_000.0


def main() -> None:
    """Measure and print."""
    publish("benchmarks.floor", floor.measure(200_000, 100_000))
    rates = (400.0, 100_000.0)
    publish("benchmarks.end_to_end", end_to_end.measure(rates, DeskOptions(), single=False, seconds=WINDOW_S))
    contest = baselines.Contest(4, WINDOW_S)
    publish("benchmarks.baselines", baselines.measure(BESIDE, contest, BESIDE_RATE, search=False))
    publish("benchmarks.overload", [overload.case_a(2, busy_us=100.0, seconds=5.0)])
    publish("benchmarks.soak", [soak.measure(50_000.0, seconds=8.0, symbols=600, rotate_s=0.2, consumers=2)])


if __name__ == "__main__":
    main()
