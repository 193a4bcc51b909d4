"""/metrics: Prometheus' own parser reads what the desk counted."""

from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from desk.exporters.prometheus import PrometheusPage, classic_buckets
from desk.telemetry.catalogue import AGE_S, FAST_S, METRICS
from desk.telemetry.histogram import MAX_NS, Histogram, bucket_index, upper_bound_s
from desk.telemetry.readings import Readings


def some_page() -> PrometheusPage:
    page = PrometheusPage("raydesk")
    consumer = Readings("consumer-00")
    consumer.count("events.consumed", 12, **{"class": "trades"})
    consumer.set("shard.symbols", 3)
    histogram = Histogram()
    for duration_ns in (0, 1_000, 500_000_000, 2_000_000_000_000):
        histogram.add_one(duration_ns)
    consumer.record("queue.time", histogram.snapshot())
    producer = Readings("producer")
    producer.count("events.dropped", 5, shard="0", cause='a "full" lane\\')
    producer.record("slots.pause", Histogram().snapshot())
    page.publish({"consumer-00": consumer, "producer": producer})
    return page


def test_the_parser_reads_every_sample() -> None:
    answer = some_page().page("")
    families = {family.name: family for family in parse(answer.body.decode())}

    assert answer.status == 200
    assert answer.content_type.startswith("text/plain")
    found = {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert found["raydesk_events_consumed_total", "consumer-00", "trades"] == 12
    assert found["raydesk_shard_symbols", "consumer-00"] == 3
    assert found["raydesk_events_dropped_total", "producer", 'a "full" lane\\', "0"] == 5
    assert families["raydesk_queue_time_seconds"].type == "histogram"
    assert found["raydesk_queue_time_seconds_count", "consumer-00"] == 4
    assert found["raydesk_queue_time_seconds_bucket", "consumer-00", "0.5"] == 3
    assert found["raydesk_queue_time_seconds_bucket", "consumer-00", "0.25"] == 2
    assert found["raydesk_queue_time_seconds_bucket", "consumer-00", "512"] == 3
    assert found["raydesk_queue_time_seconds_bucket", "consumer-00", "+Inf"] == 4
    assert found["raydesk_queue_time_seconds_sum", "consumer-00"] == 2000.500001


def test_openmetrics_is_given_where_it_is_accepted() -> None:
    answer = some_page().page("application/openmetrics-text; version=1.0.0")

    assert answer.content_type.startswith("application/openmetrics-text")
    assert {family.name for family in openmetrics(answer.body.decode())} >= {
        "raydesk_events_consumed",
        "raydesk_queue_time_seconds",
    }


def test_every_bound_of_the_catalogue_is_a_bound_of_the_desks_own_buckets() -> None:
    bounds = {bound for metric in METRICS for bound in metric.bounds}

    assert bounds == {*AGE_S, *FAST_S}
    for bound in bounds:
        assert upper_bound_s(bucket_index(int(bound * 1e9))) == bound


@examples(100)
@given(st.lists(st.integers(-5, 2 * MAX_NS)))
def test_a_classic_histogram_is_exact_at_its_bounds(durations_ns: list[int]) -> None:
    histogram = Histogram()
    for duration_ns in durations_ns:
        histogram.add_one(duration_ns)

    found = list(classic_buckets(histogram.snapshot(), AGE_S))

    for bound, (label, count) in zip(AGE_S, found, strict=False):
        assert float(label) == bound
        assert count == sum(duration_ns <= bound * 1e9 for duration_ns in durations_ns)
    assert found[-1] == ("+Inf", len(durations_ns))
