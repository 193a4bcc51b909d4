import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from test_run_record import a_fault, some_stats

from desk.consumer.shard_stats import ShardStats
from desk.model.lane_row import LaneRow
from desk.model.notes import Note
from desk.model.units import MS_NS, SECOND_NS
from desk.orders import OrderSummary
from desk.producer.stats import LoopStats
from desk.report.desk_view import DeskView
from desk.report.viewer import DeskViewer, NewNotes
from desk.telemetry.audit import Audit
from desk.telemetry.histogram import Histogram, HistogramSnapshot


def loop_stats(received: int, **more: Any) -> LoopStats:
    fields: dict[str, Any] = {
        "session_ns": 5 * SECOND_NS,
        "progress": 0.5,
        "received": {"trades": received, "quotes": 0},
        "subscribed": 4,
        "wanted_by_scanners": 1,
        "open_positions": 2,
        "lanes": [LaneRow(0, 5, 100, 1, 4, 7, {"aged": 8})],
        "notes": [Note("a note")],
    }
    return LoopStats(**(fields | more))


def latencies(*values_ms: float) -> HistogramSnapshot:
    histogram = Histogram()
    histogram.add(np.array([round(value * MS_NS) for value in values_ms], np.int64))
    return histogram.snapshot()


def a_view(viewer: DeskViewer, at_s: float, received: int, *shards: ShardStats) -> DeskView:
    orders = OrderSummary(submitted=3, filled=2, refused_by_risk=1, realized=5.0, unrealized=-2.0, fees=1.0)
    return viewer.view(round(at_s * SECOND_NS), "running", loop_stats(received), shards, {0: 99}, orders)


def test_the_first_view_has_totals_and_no_rates() -> None:
    view = a_view(DeskViewer(0), 10, 1_000, some_stats(0, audit=Audit(trades=900)))

    assert (view.produced_per_s, view.consumed_per_s, view.consumers[0].busy) == (0.0, 0.0, 0.0)
    assert (view.session_ns, view.progress, view.open_positions, view.pnl) == (5 * SECOND_NS, 0.5, 2, 2.0)
    assert (view.lanes[0].capacity, view.conflated, view.dropped) == (100, 7, 8)
    assert (view.orders.submitted, view.orders.filled, view.orders.refused) == (3, 2, 1)
    assert view.consumers[0].pid == 99


def test_rates_are_those_since_the_view_before() -> None:
    viewer = DeskViewer(0)
    a_view(viewer, 10, 1_000, some_stats(0, audit=Audit(trades=900), busy_ns=SECOND_NS))

    view = a_view(viewer, 12, 1_500, some_stats(0, audit=Audit(trades=1_000, quotes=200), busy_ns=2 * SECOND_NS))

    assert (view.produced_per_s, view.consumed_per_s, view.consumers[0].busy) == (250.0, 150.0, 0.5)


def test_latencies_are_those_since_the_view_before_their_maximum_too() -> None:
    viewer = DeskViewer(0)
    early = latencies(800.0)
    a_view(viewer, 10, 0, some_stats(0, time_in_queue=early))
    later = Histogram.of(early, latencies(1.0, 2.0, 3.0)).snapshot()

    view = a_view(viewer, 11, 0, some_stats(0, time_in_queue=later))
    still = a_view(viewer, 12, 0, some_stats(0, time_in_queue=later))

    consumer = view.consumers[0]
    assert consumer.time_in_queue_p50_ms is not None
    assert abs(consumer.time_in_queue_p50_ms - 2.0) < 0.05
    assert consumer.time_in_queue_p99_ms is not None
    assert abs(consumer.time_in_queue_p99_ms - 3.0) < 0.06
    assert still.consumers[0].time_in_queue_p99_ms is None


def test_before_the_first_mark_there_is_no_session_time() -> None:
    viewer = DeskViewer(5 * SECOND_NS)

    assert a_view(viewer, 10, 0).session_ns is None


def test_strategies_in_trouble_are_noted() -> None:
    audit = Audit(
        stopped=[a_fault("B", 1), a_fault("A", 2)], slow_calls=1, slow=[a_fault("A", 1, "61.0 ms in one call")]
    )

    view = a_view(DeskViewer(0), 10, 0, some_stats(0, audit=audit))

    assert view.notes == [
        "a note",
        "strategy s is slow: on_second took 61.0 ms in one call on A",
        "strategy s was stopped for A: ValueError: no",
    ]
    assert view.consumers[0].strategies_stopped == 2


def test_a_session_that_starts_later_is_waiting_until_its_first_mark() -> None:
    viewer = DeskViewer(5 * SECOND_NS, "closed; it starts on Monday")

    before = a_view(viewer, 10, 0)
    marked = viewer.view(0, "running", loop_stats(0, session_ns=6 * SECOND_NS), [], {}, OrderSummary())
    stopped = viewer.view(0, "draining", loop_stats(0), [], {}, OrderSummary())

    assert (before.state, before.waits, before.session_ns) == ("waiting", "closed; it starts on Monday", None)
    assert (marked.state, marked.waits) == ("running", "")
    assert (stopped.state, stopped.waits) == ("draining", "")


@pytest.fixture
def lines() -> Iterator[tuple[NewNotes, list[tuple[str, str]]]]:
    """New notes, and what they have written into the log: level and text."""
    found: list[tuple[str, str]] = []

    class Remembering(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append((record.levelname, record.getMessage()))

    log = logging.getLogger("new notes")
    log.setLevel(logging.INFO)
    log.addHandler(Remembering())
    yield NewNotes(log), found
    log.handlers.clear()


def test_each_note_is_logged_once_at_its_level(lines: tuple[NewNotes, list[tuple[str, str]]]) -> None:
    notes, found = lines
    a, b, c = Note("a", "error"), Note("b"), Note("c", "info")

    notes.write(loop_stats(0, notes=[a, b], noted=2, epoch=1))
    notes.write(loop_stats(0, notes=[a, b], noted=2, epoch=1))
    notes.write(loop_stats(0, notes=[b, c], noted=3, epoch=1))

    assert found == [("ERROR", "a"), ("WARNING", "b"), ("INFO", "c")]


def test_the_notes_of_a_successor_are_logged_however_many_its_predecessor_wrote(
    lines: tuple[NewNotes, list[tuple[str, str]]],
) -> None:
    notes, found = lines

    notes.write(loop_stats(0, notes=[Note("old")], noted=1, epoch=1))
    notes.write(loop_stats(0, notes=[Note("new")], noted=1, epoch=2))
    notes.write(loop_stats(0, notes=[Note("old"), Note("too late")], noted=2, epoch=1))

    assert [text for _, text in found] == ["old", "new"]


def test_what_is_wrong_with_the_feed_now_is_shown() -> None:
    view = DeskViewer(0).view(0, "running", loop_stats(0, alerts=["feed down for 3 s: no"]), [], {}, OrderSummary())

    assert view.alerts == ["feed down for 3 s: no"]
