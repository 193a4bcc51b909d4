"""Memory and age of the data, over the samples of a trial."""

import numpy as np
import pytest

from benchmarks.processes import Usage
from benchmarks.reading import Reading
from benchmarks.series import age_ms, between, growth_mb, recovered_s, slopes_mb_per_min
from benchmarks.trial import Sample
from desk.local_venue.venue_stats import VenueStats
from desk.model.units import MS_NS
from desk.telemetry.histogram import Histogram

VENUE = VenueStats("playing", 0.0, 0, 0, 0.0, 0, 0, 0.0, 0.0, [])


def samples(ages_ms: list[int | None], rss_mb: list[float] | None = None) -> list[Sample]:
    """One sample per second; in the second before it, a hundred events of this age were taken up."""
    histogram = Histogram()
    made = []
    for second, age in enumerate(ages_ms):
        if age is not None:
            histogram.add(np.full(100, age * MS_NS, np.int64))
        usage = {"producer": Usage(0.0, rss_mb[second] if rss_mb else 100.0, 0.0)}
        made.append(Sample(float(second), VENUE, Reading(0, age=histogram.snapshot()), usage, 0))
    return made


def test_ages_are_those_between_the_first_and_the_last() -> None:
    seen = samples([5, 5, 300, 300])

    assert age_ms(seen[1:], 0.5) == pytest.approx(300, rel=1 / 64)
    assert age_ms(seen[:1], 0.5) is None


def test_recovery_is_counted_from_the_end_of_the_load() -> None:
    assert recovered_s(samples([5, 900, 900, 900, 900, 20, 5, 5]), 3.0, 100) == 1.0


def test_a_relapse_cancels_the_recovery() -> None:
    assert recovered_s(samples([5, 900, 900, 20, 900, 20, 5]), 2.0, 100) == 2.0


def test_without_recovery_there_is_none() -> None:
    assert recovered_s(samples([5, 900, 900, 900]), 1.0, 100) is None


def test_memory_grows_by_what_it_rose_above_the_first() -> None:
    seen = samples([1] * 4, [100.0, 140.0, 120.0, 90.0])

    assert growth_mb(seen) == {"producer": 40.0}
    assert growth_mb(between(seen, 2, 3)) == {"producer": 0.0}


def test_a_slope_is_per_minute() -> None:
    assert slopes_mb_per_min(samples([1] * 5, [100.0, 101.0, 102.0, 103.0, 104.0])) == {"producer": 60.0}
