"""Differences between two readings."""

import numpy as np
import pytest

from benchmarks.reading import Reading, growth_s, median_ns, quantiles_ms
from desk.model.units import MS_NS, SECOND_NS
from desk.telemetry.histogram import Histogram, counted_since


def ages(*parts_ms: list[int]) -> list[Reading]:
    """A first empty reading, then one after each part."""
    histogram = Histogram()
    readings = [Reading(0, age=histogram.snapshot())]
    for number, part in enumerate(parts_ms, 1):
        histogram.add(np.array(part, np.int64) * MS_NS)
        readings.append(Reading(number * SECOND_NS, age=histogram.snapshot()))
    return readings


def test_since_counts_only_what_came_between() -> None:
    _, before, now = ages([1] * 100, [50] * 10)

    between = counted_since(now.age, before.age)

    assert between.count == 10
    assert between.quantile(0.1) == pytest.approx(50 * MS_NS, rel=1 / 64)


def test_nothing_between_has_no_quantiles() -> None:
    _, before, now = ages([1], [])

    figures = quantiles_ms("age", counted_since(now.age, before.age))

    assert figures == {"age_p50_ms": None, "age_p95_ms": None, "age_p99_ms": None}
    assert median_ns([before, now]) is None


def test_even_ages_do_not_grow() -> None:
    assert growth_s(ages(*[[5, 6, 7]] * 8)) == 0.0


def test_a_backlog_is_the_age_that_it_adds() -> None:
    readings = ages(*([100 * second] * 9 for second in range(9)))

    assert growth_s(readings) == pytest.approx(0.6, abs=0.11)


def test_a_system_that_stands_still_falls_behind_without_end() -> None:
    assert growth_s(ages([1], [1], [1], [], [], [], [], [])) == float("inf")


def test_readings_of_workers_add_up() -> None:
    one, two = ages([1, 1])[-1], ages([9])[-1]

    total = Reading.sum(5, [Reading(1, 10, 4, 1, one.age), Reading(2, 20, 5, 2, two.age)])

    assert (total.wall_ns, total.received, total.applied, total.dropped) == (5, 30, 9, 3)
    assert Histogram.of(total.age).count == 3
