"""The figures of the desk's parts as metrics: each has its figure, and its name in the catalogue."""

from test_run_record import some_stats
from test_viewer import latencies, loop_stats

from desk.model.units import SECOND_NS
from desk.orders import OrderSummary
from desk.producer.feed_watch.watch import FeedFigures
from desk.report import metric_readings
from desk.report.run_record import FeedRecord
from desk.telemetry.audit import Audit
from desk.telemetry.histogram import HistogramSnapshot
from desk.telemetry.readings import Readings


def by_name(readings: Readings) -> dict[tuple[str, ...], float]:
    return {(reading.metric, *reading.labels.values()): reading.value for reading in readings.values}


def test_the_producers_figures() -> None:
    readings = Readings("producer")

    feed = FeedFigures(up=False, reconnects=2, lag_ns=SECOND_NS, skew_ns=-SECOND_NS)
    metric_readings.add_producer(
        readings, loop_stats(1_000, rejected={"trades": {"late": 3}}, skipped={"quotes": 7}, moves=2, feed=feed)
    )

    found = by_name(readings)
    assert found["events.produced", "trades"] == 1_000
    assert found["events.rejected", "trades", "late"] == 3
    assert found["events.skipped", "quotes"] == 7
    assert (found["lane.depth", "0"], found["lane.use", "0"], found["lane.in_flight", "0"]) == (5, 0.05, 1)
    assert (found["events.conflated", "0"], found["events.dropped", "0", "aged"]) == (7, 8)
    assert (found["feed.connected",], found["feed.reconnects",]) == (0, 2)
    assert (found["feed.lag",], found["clock.skew",]) == (1, -1)
    assert (found["symbols.subscribed",], found["session.time",], found["slots.moves",]) == (4, 5, 2)


def test_the_producers_last_record_replaces_its_counts() -> None:
    readings = Readings("producer")
    metric_readings.add_producer(readings, loop_stats(1_000, rejected={"trades": {"late": 3}}))

    metric_readings.replace_feed_counts(readings, FeedRecord({"trades": 1_200}, {"trades": {"late": 4}}, {}, []))

    found = [(reading.metric, reading.value) for reading in readings.values if reading.metric.startswith("events.")]
    assert [each for each in found if each[0] in metric_readings.FEED_COUNTS] == [
        ("events.produced", 1_200),
        ("events.rejected", 4),
    ]
    assert ("events.conflated", 7) in found


def test_a_shards_figures() -> None:
    readings = Readings("consumer-00")
    stats = some_stats(
        0,
        audit=Audit(900, 50, {"duplicate": 3}, {"size": 1}, slow_calls=1, intents=2, lost_trades=4, lost_quotes=2),
        time_in_queue=latencies(1.0, 2.0),
        strategy_times={"pressure": {"on_quote": latencies(0.01)}},
    )

    metric_readings.add_shard(readings, stats)

    found = by_name(readings)
    assert (found["events.consumed", "trades"], found["events.consumed", "quotes"]) == (900, 50)
    assert (found["events.rejected", "trades", "duplicate"], found["events.rejected", "quotes", "size"]) == (3, 1)
    assert found["events.dropped", "0", "unprotected"] == 6
    assert (found["strategy.slow",], found["strategy.intents",]) == (1, 2)
    counts = {reading.metric: reading.histogram.count for reading in readings.histograms}
    assert counts["queue.time"] == 2
    labels = {reading.metric: reading.labels for reading in readings.histograms}
    assert labels["strategy.duration"] == {"strategy": "pressure", "hook": "on_quote"}


def test_the_brokers_figures() -> None:
    readings = Readings("broker")

    orders = OrderSummary(submitted=3, filled=2, refused={"max_orders": 1}, realized=5.0, fees=1.0, gross=90.0)
    metric_readings.add_orders(readings, orders, {"sent": latencies(1.0), "filled": HistogramSnapshot()})

    found = by_name(readings)
    assert (found["orders.submitted",], found["orders.filled",], found["orders.refused", "max_orders"]) == (3, 2, 1)
    assert (found["pnl",], found["exposure",]) == (4.0, 90.0)
    assert [(reading.metric, reading.labels) for reading in readings.histograms] == [
        ("orders.latency", {"step": "sent"})
    ]
