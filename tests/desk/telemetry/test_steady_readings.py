"""Readings for exporters: restored totals never fall, silent processes have no gauges; the variation of rates."""

from desk.model.units import SECOND_NS
from desk.telemetry.histogram import Histogram
from desk.telemetry.rate_variation import RateVariation
from desk.telemetry.readings import Readings
from desk.telemetry.steady_readings import SILENT_NS, SteadyReadings


def of_shard(consumed: int, cpu_s: float = 1.0, wall_ns: int = 0) -> Readings:
    found = Readings("consumer-00", wall_ns=wall_ns)
    found.count("events.consumed", consumed, **{"class": "trades"})
    found.count("process.cpu.time", cpu_s, mode="user")
    found.set("shard.symbols", 3)
    histogram = Histogram()
    histogram.add_one(5, consumed)
    found.record("queue.time", histogram.snapshot())
    return found


def values(readings: Readings) -> dict[str, float]:
    return {reading.metric: reading.value for reading in readings.values}


def test_a_restored_total_stays_until_the_replay_has_passed_it() -> None:
    steady = SteadyReadings()
    found = [
        steady.take({"consumer-00": of_shard(consumed, cpu_s)}, 0)["consumer-00"]
        for consumed, cpu_s in ((100, 9.0), (90, 0.5), (99, 0.7), (101, 0.8))
    ]

    assert [values(each)["events.consumed"] for each in found] == [100, 100, 100, 101]
    assert [each.histograms[0].histogram.count for each in found] == [100, 100, 100, 101]
    assert [values(each)["process.cpu.time"] for each in found] == [9.0, 0.5, 0.7, 0.8]


def test_labels_and_actors_are_kept_apart() -> None:
    steady = SteadyReadings()
    steady.take({"consumer-00": of_shard(100), "consumer-01": of_shard(10)}, 0)

    found = steady.take({"consumer-00": of_shard(50), "consumer-01": of_shard(20)}, 0)

    assert [values(each)["events.consumed"] for each in found.values()] == [100, 20]


def test_a_silent_process_keeps_its_totals_and_has_no_gauges() -> None:
    steady = SteadyReadings()

    found = steady.take({"consumer-00": of_shard(5, wall_ns=SECOND_NS)}, SECOND_NS + SILENT_NS + 1)["consumer-00"]

    assert values(found) == {"events.consumed": 5, "process.cpu.time": 1.0}
    assert "shard.symbols" in values(
        steady.take({"consumer-00": of_shard(5, wall_ns=SECOND_NS)}, SILENT_NS)["consumer-00"]
    )


def test_the_variation_is_that_of_the_rates_since_the_last_call() -> None:
    variation = RateVariation()

    assert variation.take({"consumer-00": of_shard(100), "consumer-01": of_shard(500)}) is None
    assert variation.take({"consumer-00": of_shard(200), "consumer-01": of_shard(600)}) == 0.0
    assert variation.take({"consumer-00": of_shard(200), "consumer-01": of_shard(700)}) == 1.0
    assert variation.take({"consumer-00": of_shard(200), "consumer-01": of_shard(700)}) is None
    assert variation.take({"consumer-00": of_shard(300), "broker": Readings("broker")}) is None
