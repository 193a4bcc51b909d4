"""When a killed shard counts as caught up, and the cost of checkpoints."""

import numpy as np
import pytest

from benchmarks.checkpoint_cost import measure
from benchmarks.recovery import ConsumerReading, Recovery, accounts
from desk.model.units import MS_NS
from desk.report.summary import ClassCounts, Summary, TicksSection
from desk.telemetry.histogram import Histogram, HistogramSnapshot

DEAD, SUCCESSOR = object(), object()


def queue(*ms: float) -> HistogramSnapshot:
    histogram = Histogram()
    histogram.add(np.array([round(value * MS_NS) for value in ms], np.int64))
    return histogram.snapshot()


def a_reading(at_s: float, held: HistogramSnapshot, incarnation: object = SUCCESSOR, shard: int = 1) -> ConsumerReading:
    return ConsumerReading(shard, incarnation, at_s, held, 0)


@pytest.fixture
def recovery() -> Recovery:
    return Recovery(1, DEAD, killed_s=100.0)


def test_a_shard_has_caught_up_once_everything_between_two_readings_was_in_queue_for_a_short_time(
    recovery: Recovery,
) -> None:
    before = [2.0, 3.0]
    recovery.on_reading(a_reading(100.01, queue(*before), DEAD))
    recovery.on_successor(100.3)
    recovery.on_successor(100.4)
    recovery.on_reading(a_reading(101.2, queue(*before, 900.0)))
    recovery.on_reading(a_reading(101.3, queue(*before, 900.0, 700.0, 40.0)))
    assert recovery.caught_up_s is None

    recovery.on_reading(a_reading(101.4, queue(*before, 900.0, 700.0, 40.0, 40.0, 1.0)))

    assert recovery.made_s == pytest.approx(0.3)
    assert recovery.answers_s == pytest.approx(1.2)
    assert recovery.caught_up_s == pytest.approx(1.4)


def test_a_shard_that_applied_nothing_has_not_caught_up(recovery: Recovery) -> None:
    recovery.on_reading(a_reading(101.2, queue(2.0)))
    recovery.on_reading(a_reading(101.3, queue(2.0)))

    assert recovery.caught_up_s is None


def test_readings_of_other_shards_and_of_another_incarnation_are_not_compared(recovery: Recovery) -> None:
    recovery.on_reading(a_reading(101.2, queue(2.0)))
    recovery.on_reading(a_reading(101.3, queue(2.0, 1.0), shard=0))
    recovery.on_reading(a_reading(102.0, queue(2.0, 1.0), object()))

    assert recovery.caught_up_s is None
    assert recovery.answers_s == pytest.approx(1.2)


def test_events_neither_applied_nor_counted_by_a_cause_are_missing() -> None:
    trades = ClassCounts(received=90, applied=80, dropped={"aged": 4, "unprotected": 1}, rejected={"late": 2})
    quotes = ClassCounts(received=10, applied=7, conflated=2, dropped={"full": 1})
    summary = Summary(
        run_id="r",
        plan="p",
        mode="paper",
        in_process=False,
        started_ns=0,
        ended_ns=1,
        wall_s=1.0,
        ticks=TicksSection(trades, quotes),
    )

    found = accounts(103, summary)

    assert found["missing"] == 103 - 97
    assert found["received"] == 100
    assert found["dropped_aged"] == 4


def test_a_checkpoint_grows_with_its_symbols() -> None:
    few, many = (measure(symbols, seconds=3, events_per_symbol=1.0, every_s=1) for symbols in (5, 50))

    assert few["events_per_s"] == 5
    assert many["events_per_s"] == 50
    assert many["checkpoint_kb"] > 5 * few["checkpoint_kb"]
