"""The floor benchmark reads the venue's frames and does all of the work."""

from benchmarks.baseline_worker import Worker
from benchmarks.floor import BarWork, cpu_us, frames
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS, SECOND_NS


def test_every_event_comes_out_of_the_frames_once_and_goes_to_a_shard() -> None:
    bars = BarWork()

    _, events = cpu_us(frames(50_000.0, 5_000, single=False), bars.fold)

    assert events == sum(bars.events_of) == 5_000
    assert min(bars.events_of) > 0


def test_single_frames_hold_one_event_each() -> None:
    made = frames(50_000.0, 500, single=True)

    assert len(made) == 500


def test_a_baseline_worker_closes_its_minutes_and_reports_what_it_took() -> None:
    worker = Worker(10 * MINUTE_NS)
    began_ns = 10 * MINUTE_NS
    for second in range(60):
        at_ns = began_ns + second * SECOND_NS
        worker.take(Trade(second, "LD0000", at_ns, at_ns + 5, 10.0, 100.0), at_ns + 10)
        worker.second(at_ns + SECOND_NS)

    worker.second(began_ns + MINUTE_NS + SECOND_NS)

    reading = worker.report(began_ns + MINUTE_NS)
    assert [bar.trades for bar in worker.closed] == [60]
    assert reading.applied == 60
    assert sum(reading.age.buckets.values()) == 60
    assert reading.queue.max_ns == 5
