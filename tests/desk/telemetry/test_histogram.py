import threading

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.telemetry.histogram import MAX_NS, Histogram, HistogramSnapshot

durations = st.lists(st.integers(0, MAX_NS), min_size=1, max_size=200)


def histogram_of(values: list[int]) -> Histogram:
    histogram = Histogram()
    histogram.add(np.array(values, np.int64))
    return histogram


@given(durations, st.floats(0, 1))
def test_a_quantile_is_within_two_percent_of_the_true_one(values: list[int], q: float) -> None:
    histogram = histogram_of(values)

    told = histogram.quantile(q)

    true = sorted(values)[max(int(np.ceil(q * len(values))), 1) - 1]
    assert told is not None
    assert abs(told - true) <= 0.02 * true


def test_quantiles_agree_with_numpy_on_a_long_tailed_sample() -> None:
    values = np.random.default_rng(7).lognormal(np.log(2e6), 1.5, 20_000).astype(np.int64)
    histogram = Histogram()

    for part in np.array_split(values, 37):
        histogram.add(part)

    for q in (0.01, 0.5, 0.95, 0.99, 0.999):
        assert histogram.quantile(q) == pytest.approx(np.quantile(values, q, method="inverted_cdf"), rel=0.02)


@given(durations)
def test_one_at_a_time_counts_like_all_at_once(values: list[int]) -> None:
    at_once = histogram_of(values)

    one_by_one = Histogram()
    for value in values:
        one_by_one.add_one(value)

    assert one_by_one.snapshot() == at_once.snapshot()
    assert one_by_one.count == at_once.count == len(values)


@given(durations, durations)
def test_merging_counts_what_both_have_counted(left: list[int], right: list[int]) -> None:
    merged = histogram_of(left)

    merged.merge(histogram_of(right))

    assert merged.snapshot() == histogram_of(left + right).snapshot()
    assert merged.count == len(left) + len(right)


@given(durations)
def test_a_snapshot_survives_the_wire(values: list[int]) -> None:
    histogram = histogram_of(values)

    encoded = msgspec.msgpack.encode(histogram.snapshot())
    restored = Histogram.of(msgspec.msgpack.decode(encoded, type=HistogramSnapshot))

    assert restored.snapshot() == histogram.snapshot()
    assert (restored.count, restored.max_ns) == (histogram.count, histogram.max_ns)
    assert restored.quantile(0.5) == histogram.quantile(0.5)


def test_the_maximum_is_exact_and_the_last_quantile() -> None:
    histogram = histogram_of([1_000, 123_456_789, 5])

    assert histogram.max_ns == 123_456_789
    assert histogram.quantile(1.0) == 123_456_789


def test_negative_durations_count_as_zero() -> None:
    histogram = histogram_of([-5, -1_000_000])

    histogram.add_one(-1)

    assert histogram.count == 3
    assert histogram.max_ns == 0
    assert histogram.quantile(0.5) == 0


def test_longer_than_an_hour_counts_as_an_hour_and_keeps_its_maximum() -> None:
    day_ns = 24 * MAX_NS

    histogram = histogram_of([day_ns, day_ns, day_ns])

    assert histogram.quantile(0.5) == pytest.approx(MAX_NS, rel=0.02)
    assert histogram.max_ns == day_ns


def test_many_of_one_value_count_as_many() -> None:
    histogram = Histogram()

    histogram.add_one(1_000, count=99)
    histogram.add_one(1_000_000)

    assert histogram.count == 100
    assert histogram.quantile(0.99) == pytest.approx(1_000, rel=0.02)


def test_an_empty_histogram_has_no_quantile() -> None:
    histogram = Histogram()

    histogram.add(np.array([], np.int64))

    assert histogram.quantile(0.5) is None
    assert histogram.snapshot() == HistogramSnapshot()


def test_a_snapshot_is_taken_while_another_thread_counts() -> None:
    histogram = Histogram()
    stop = threading.Event()

    def count() -> None:
        value_ns = 1
        while not stop.is_set():
            histogram.add_one(value_ns)
            value_ns = value_ns * 31 % 1_000_000_007

    thread = threading.Thread(target=count)
    thread.start()
    try:
        counts = [histogram.snapshot().count for _ in range(3_000)]
    finally:
        stop.set()
        thread.join()

    assert counts == sorted(counts)
