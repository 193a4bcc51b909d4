"""Ten times too much: what becomes of memory, accounts and age when the load is beyond what can be worked off.

    python -m benchmarks.overload [--case A B] [--seconds S] [--busy-us U] [--storm-rate R] [--consumers N]

A   strategies busy on every trade bring the lanes down to S trades/s, found by a trial of its own; then the venue
    offers ten times S.
B   light shards, and the venue offers trades and quotes as fast as it can, so that the producer cannot read them all.

Both begin and end with a light load, so that the age can be seen to come back.
"""

import argparse
from collections.abc import Sequence
from typing import Any, Final

from benchmarks.desk_trial import DeskOptions, DeskRun, run
from benchmarks.frame import publish
from benchmarks.load import Venue, standard
from benchmarks.series import age_ms, between, growth_mb, recovered_s
from benchmarks.trial import Timing
from benchmarks.varying import Stretch, varying

TIMES: Final = 10
CALM_S: Final = 5.0
AFTER_S: Final = 10.0
SETTLE_S: Final = 10.0
PROBE_RATE: Final = 40_000.0
PROBE_S: Final = 4.0
LIGHT_RATE: Final = 2_000.0
LIMIT_MS: Final = 100.0


def case_a(consumers: int, busy_us: float, seconds: float) -> dict[str, Any]:
    """Busy strategies, ten times what they can do."""
    busy = {"use": "benchmarks.strategies:SlowOnTrades", "params": {"busy_us": busy_us}}
    options = DeskOptions(consumers, strategies=(busy,))
    with Venue(standard(PROBE_RATE)) as venue:
        probed = run(venue, options, Timing(PROBE_RATE, PROBE_S)).trial.row()
    sustained = float(probed["applied_per_s"])
    stretches = _storm(light=min(LIGHT_RATE, sustained / 4), rate=TIMES * sustained, seconds=seconds)
    done = _weather(stretches, options, mix="trades")
    what = f"A: {consumers} consumers at {busy_us:g} µs per trade, {TIMES} x {sustained:,.0f}/s for {seconds:g} s"
    return {"what": what, "lanes_per_s": sustained, **_figures(done, stretches)}


def case_b(consumers: int, rate: float, seconds: float) -> dict[str, Any]:
    """Light shards, and more than the producer can read."""
    stretches = _storm(light=LIGHT_RATE, rate=rate, seconds=seconds)
    options = DeskOptions(consumers, channels=("trades", "quotes"))
    done = _weather(stretches, options, mix="both")
    return {"what": f"B: {consumers} light consumers, {rate:,.0f}/s for {seconds:g} s", **_figures(done, stretches)}


def _storm(*, light: float, rate: float, seconds: float) -> tuple[Stretch, ...]:
    return (Stretch(light, CALM_S), Stretch(rate, seconds), Stretch(light, AFTER_S))


def _weather(stretches: Sequence[Stretch], options: DeskOptions, *, mix: str) -> DeskRun:
    whole_s = sum(stretch.seconds for stretch in stretches)
    with Venue(varying(stretches, mix=mix)) as venue:
        return run(venue, options, Timing(None, whole_s - 1.0, warm_s=1.0))


def _figures(done: DeskRun, stretches: Sequence[Stretch]) -> dict[str, Any]:
    """Over the storm: what was offered and applied; memory after it has settled; ladder; accounts.

    A venue that cannot keep its schedule ends the storm later: the end is when it has caught up.
    """
    sights = done.trial.sights
    began_s = stretches[0].seconds
    late_s = [sight.since_s for sight in sights if sight.venue.schedule_lag_ms > LIMIT_MS]
    ended_s = max([began_s + stretches[1].seconds, *late_s])
    storm = between(sights, began_s, ended_s)
    settle_s = min(SETTLE_S, (ended_s - began_s) / 3)
    first, last = storm[0], storm[-1]
    seconds = last.since_s - first.since_s
    grown = growth_mb(between(sights, began_s + settle_s, ended_s))
    ladder = [note for note in done.notes if note.startswith("overload ladder")]
    summary = done.summary
    return {
        "offered_per_s": round((last.venue.offered - first.venue.offered) / seconds),
        "received_per_s": round((last.reading.received - first.reading.received) / seconds),
        "applied_per_s": round((last.reading.applied - first.reading.applied) / seconds),
        "age_p50_ms_in_storm": age_ms(storm, 0.5),
        "age_p99_ms_in_storm": age_ms(storm, 0.99),
        "age_under_100_ms_after_s": recovered_s(sights, ended_s, LIMIT_MS),
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
    parser.add_argument("--storm-rate", type=float, default=600_000.0, help="what B offers, if the venue can")
    parser.add_argument("--consumers", type=int, default=2)
    options = parser.parse_args()
    rows = []
    if "A" in options.case:
        rows.append(case_a(options.consumers, options.busy_us, options.seconds))
    if "B" in options.case:
        rows.append(case_b(options.consumers, options.storm_rate, options.seconds))
    publish("benchmarks.overload", rows, seconds=options.seconds)


if __name__ == "__main__":
    main()
