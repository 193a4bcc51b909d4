"""Memory, accounts and age of the data under ten times the load that the desk can process.

    python -m benchmarks.overload [--case A B] [--seconds S] [--busy-us U] [--storm-rate R] [--consumers N]

A   strategies that are busy on every trade limit the desk to S trades/s, measured by a trial of its own; then the
    venue offers ten times S.
B   idle strategies; the venue offers more trades and quotes than the producer can read.

Both start and end with a light load, to show how the age recovers.
"""

import argparse
from collections.abc import Sequence
from typing import Any, Final

from benchmarks.desk_trial import DeskOptions, DeskRun, run
from benchmarks.load import Venue, standard
from benchmarks.results import print_results
from benchmarks.series import age_ms, between, growth_mb, recovered_s
from benchmarks.trial import Timing
from benchmarks.varying import Stretch, varying

FACTOR: Final = 10
CALM_S: Final = 5.0
AFTER_S: Final = 10.0
SETTLE_S: Final = 10.0
PROBE_RATE: Final = 40_000.0
PROBE_S: Final = 4.0
LIGHT_RATE: Final = 2_000.0
LIMIT_MS: Final = 100.0


def case_a(consumers: int, busy_us: float, seconds: float) -> dict[str, Any]:
    """Offer ten times the rate that busy strategies can process."""
    busy = {"use": "benchmarks.strategies:SlowOnTrades", "params": {"busy_us": busy_us}}
    options = DeskOptions(consumers, strategies=(busy,))
    with Venue(standard(PROBE_RATE)) as venue:
        probed = run(venue, options, Timing(PROBE_RATE, PROBE_S)).trial.row()
    sustained = float(probed["applied_per_s"])
    stretches = _storm_stretches(light=min(LIGHT_RATE, sustained / 4), rate=FACTOR * sustained, seconds=seconds)
    done = _run_storm(stretches, options, mix="trades")
    what = f"A: {consumers} consumers at {busy_us:g} µs per trade, {FACTOR} x {sustained:,.0f}/s for {seconds:g} s"
    return {"what": what, "lanes_per_s": sustained, **_figures(done, stretches)}


def case_b(consumers: int, rate: float, seconds: float) -> dict[str, Any]:
    """Offer more than the producer can read, to idle strategies."""
    stretches = _storm_stretches(light=LIGHT_RATE, rate=rate, seconds=seconds)
    options = DeskOptions(consumers, channels=("trades", "quotes"))
    done = _run_storm(stretches, options, mix="both")
    return {"what": f"B: {consumers} light consumers, {rate:,.0f}/s for {seconds:g} s", **_figures(done, stretches)}


def _storm_stretches(*, light: float, rate: float, seconds: float) -> tuple[Stretch, ...]:
    return (Stretch(light, CALM_S), Stretch(rate, seconds), Stretch(light, AFTER_S))


def _run_storm(stretches: Sequence[Stretch], options: DeskOptions, *, mix: str) -> DeskRun:
    whole_s = sum(stretch.seconds for stretch in stretches)
    with Venue(varying(stretches, mix=mix)) as venue:
        return run(venue, options, Timing(None, whole_s - 1.0, warm_s=1.0))


def _figures(done: DeskRun, stretches: Sequence[Stretch]) -> dict[str, Any]:
    """Figures of the storm: rates, ages, memory growth once settled, ladder steps and accounts.

    A venue behind its schedule prolongs the storm: its end is when the venue has caught up.
    """
    samples = done.trial.samples
    began_s = stretches[0].seconds
    late_s = [sample.since_s for sample in samples if sample.venue.schedule_lag_ms > LIMIT_MS]
    ended_s = max([began_s + stretches[1].seconds, *late_s])
    storm = between(samples, began_s, ended_s)
    settle_s = min(SETTLE_S, (ended_s - began_s) / 3)
    first, last = storm[0], storm[-1]
    seconds = last.since_s - first.since_s
    grown = growth_mb(between(samples, began_s + settle_s, ended_s))
    ladder = [note for note in done.notes if note.startswith("overload ladder")]
    summary = done.summary
    return {
        "offered_per_s": round((last.venue.offered - first.venue.offered) / seconds),
        "received_per_s": round((last.reading.received - first.reading.received) / seconds),
        "applied_per_s": round((last.reading.applied - first.reading.applied) / seconds),
        "age_p50_ms_in_storm": age_ms(storm, 0.5),
        "age_p99_ms_in_storm": age_ms(storm, 0.99),
        "age_under_100_ms_after_s": recovered_s(samples, ended_s, LIMIT_MS),
        "rss_settled_after_s": round(settle_s, 1),
        "rss_growth_mb_at_most": max(grown.values(), default=None),
        "rss_grew_most": max(grown, key=lambda name: grown[name], default=""),
        "ladder_climbed": sum("climbed" in note for note in ladder),
        "ladder_descended": sum("descended" in note for note in ladder),
        "hung_up_by_venue": last.venue.dropped_clients,
        **{f"trades_{cause}": count for cause, count in summary.ticks.trades.dropped.items()},
        **{f"quotes_{cause}": count for cause, count in summary.ticks.quotes.dropped.items()},
        "quotes_conflated": summary.ticks.quotes.conflated,
        "lost_on_the_wire": done.trial.sent - sum(c.received for c in summary.ticks.by_class().values()),
        "balanced": summary.balanced,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="+", choices=("A", "B"), default=["A", "B"])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--busy-us", type=float, default=100.0)
    parser.add_argument(
        "--storm-rate", type=float, default=600_000.0, help="rate of case B, as far as the venue can send it"
    )
    parser.add_argument("--consumers", type=int, default=2)
    options = parser.parse_args()
    rows = []
    if "A" in options.case:
        rows.append(case_a(options.consumers, options.busy_us, options.seconds))
    if "B" in options.case:
        rows.append(case_b(options.consumers, options.storm_rate, options.seconds))
    print_results("benchmarks.overload", rows, seconds=options.seconds)


if __name__ == "__main__":
    main()
