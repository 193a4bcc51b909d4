"""The desk's CPU cost by rate and number of shards, a fitted formula, and the highest rate sustained per number.

    python -m benchmarks.scale [--part cost search] [--consumers N ...] [--rate R ...] [--seconds S] [--mix trades|both]

cost    the standard load at each rate on each number of shards, and the least-squares fit of

            CPU µs per second = event * events/s + batch * batches/s + shard * shards + second

        for the producer, the consumers and the whole desk. A batch costs a call that wakes two processes; a shard has
        a cost per second even without events; `second` is the rest.
search  the highest rate sustained, by number of shards.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np

from benchmarks.desk_trial import DeskOptions, run
from benchmarks.load import Venue, standard
from benchmarks.results import print_results
from benchmarks.sustained import highest
from benchmarks.trial import Timing
from desk.telemetry import formatting

CPU_FIGURES: Final = {"producer": "cpu_us_of_producer", "consumers": "cpu_us_of_consumers", "whole": "cpu_us_per_event"}
TERMS: Final = ("event_us", "batch_us", "shard_us", "second_us")
CHANNELS: Final = {"trades": ("trades",), "both": ("trades", "quotes")}


@dataclass(frozen=True)
class CostSample:
    """One trial: the CPU cost of an event at this rate, with this number of shards and batches."""

    shards: int
    rate_per_s: float
    batches_per_s: float
    cost_us: float

    @property
    def terms(self) -> tuple[float, ...]:
        """The coefficients of the formula's terms, for one event."""
        return 1.0, self.batches_per_s / self.rate_per_s, self.shards / self.rate_per_s, 1.0 / self.rate_per_s


@dataclass(frozen=True)
class Fit:
    """The formula's terms in CPU µs: per event, per batch, per shard and second, per second."""

    event_us: float
    batch_us: float
    shard_us: float
    second_us: float

    def cost_us(self, sample: CostSample) -> float:
        """The cost of an event by the formula."""
        ones = (self.event_us, self.batch_us, self.shard_us, self.second_us)
        return sum(one * by for one, by in zip(ones, sample.terms, strict=True))

    def residual(self, sample: CostSample) -> float:
        """The formula's relative error."""
        return self.cost_us(sample) / sample.cost_us - 1.0

    @classmethod
    def of(cls, samples: Sequence[CostSample]) -> "Fit":
        """Fit by least squares of the relative errors, with no negative term.

        It solves for every subset of terms, and takes the best solution without a negative one.
        """
        weighed = np.array([sample.terms for sample in samples]) / np.array([[sample.cost_us] for sample in samples])
        best, least = np.zeros(len(TERMS)), float(len(samples))
        for chosen in _subsets(range(len(TERMS))):
            solved = np.zeros(len(TERMS))
            solved[chosen] = np.linalg.lstsq(weighed[:, chosen], np.ones(len(samples)))[0]
            error = float(((weighed @ solved - 1.0) ** 2).sum())
            if (solved >= 0).all() and error < least:
                best, least = solved, error
        return cls(*best.tolist())


def _subsets(of: range) -> Iterable[list[int]]:
    return (list(chosen) for count in range(1, len(of) + 1) for chosen in combinations(of, count))


def trials(consumers: Sequence[int], rates: Sequence[float], mix: str, seconds: float) -> list[dict[str, Any]]:
    """Run a trial per rate and number of shards; return a row for each."""
    rows = []
    for shards in consumers:
        for rate in rates:
            with Venue(standard(rate, mix=mix)) as venue:
                row = run(venue, DeskOptions(shards, channels=CHANNELS[mix]), Timing(rate, seconds)).row()
            rows.append({"what": f"{formatting.some(shards, 'shard')}, {rate:,.0f}/s", "shards": shards, **row})
    return rows


def samples(rows: Iterable[dict[str, Any]], figure: str) -> list[CostSample]:
    """The samples of one figure, from the trials that were sustained."""
    return [
        CostSample(row["shards"], row["applied_per_s"], row["batches_per_s"], row[figure])
        for row in rows
        if row["sustained"] == "yes"
    ]


def fits(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The formula's terms and errors for producer, consumers and the whole desk."""
    table = []
    for part, figure in CPU_FIGURES.items():
        known = samples(rows, figure)
        fit = Fit.of(known)
        off = np.array([fit.residual(sample) for sample in known])
        table.append(
            {
                "what": part,
                **{term: round(getattr(fit, term), 2) for term in TERMS},
                "residual_rms": round(float((off**2).mean() ** 0.5), 3),
                "residual_worst": round(float(abs(off).max()), 3),
                "trials": len(known),
            }
        )
    return table


def search(shards: int, start: float, mix: str, seconds: float) -> dict[str, Any]:
    """The highest rate that this number of shards sustains, and why a higher one failed."""
    failed: dict[float, str] = {}

    def sustains(rate: float) -> bool:
        with Venue(standard(rate, mix=mix)) as venue:
            done = run(venue, DeskOptions(shards, channels=CHANNELS[mix]), Timing(rate, seconds))
        if failing := done.trial.window().failing():
            failed[rate] = failing
        return not failing

    best = highest(sustains, start)
    above = min(failed, default=None)
    return {
        "what": formatting.some(shards, "shard"),
        "sustained_per_s": round(best),
        "failed_at_per_s": None if above is None else round(above),
        "because": "" if above is None else failed[above],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=("cost", "search"), default=["cost", "search"])
    parser.add_argument("--consumers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--rate", type=float, nargs="+", default=[10_000, 50_000, 200_000])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--mix", choices=tuple(CHANNELS), default="trades")
    options = parser.parse_args()
    if "cost" in options.part:
        rows = trials(options.consumers, options.rate, options.mix, options.seconds)
        print_results("benchmarks.scale", rows, part="cost", mix=options.mix)
        print_results("benchmarks.scale", fits(rows), part="fit", mix=options.mix)
    if "search" in options.part:
        found = [search(shards, max(options.rate), options.mix, options.seconds) for shards in options.consumers]
        print_results("benchmarks.scale", found, part="search", mix=options.mix)


if __name__ == "__main__":
    main()
