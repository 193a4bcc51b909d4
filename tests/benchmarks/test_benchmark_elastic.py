"""The figures and the plot of an elastic run."""

from xml.etree import ElementTree as ET

import msgspec
import pytest

from benchmarks.elastic import HIGH_FACTOR, HOVER_SHARE, ConsumerSetup, Course
from benchmarks.elastic_plot import plot
from benchmarks.elastic_trace import Moment, Point, Trace, changes, consumer_s, points_of, queue_ms, recovered_s
from desk.model.units import MS_NS
from desk.telemetry.histogram import Histogram

COURSE = Course(low=100.0, hover=250.0, low_s=4.0, high_s=6.0, back_s=5.0, hover_s=20.0)
OBJECTIVE_MS = 50.0


def point(since_s: float, p99_ms: float | None = 10.0, wanted: int = 1, working: int = 1) -> Point:
    return Point(since_s, 100.0, wanted, working, max(wanted - working, 0), 1, p99_ms and p99_ms / 2, p99_ms)


def seconds(*p99_ms: float | None) -> list[Point]:
    return [point(float(second), value) for second, value in enumerate(p99_ms, 1)]


def test_the_course_steps_up_and_down_and_then_hovers_around_its_rate() -> None:
    rates = [stretch.rate_per_s for stretch in COURSE.stretches]

    assert rates[:3] == [100.0, HIGH_FACTOR * 100.0, 100.0]
    assert sorted(set(rates[3:])) == pytest.approx([250.0 * (1 - HOVER_SHARE), 250.0 * (1 + HOVER_SHARE)])
    assert COURSE.begins_s == (4.0, 10.0, 15.0, 35.0)


def test_a_plan_without_a_count_is_elastic_and_names_its_symbols() -> None:
    plan = ConsumerSetup(count=0, max_count=4, wait_us=1.0).plan("ws://127.0.0.1:1/v2/sip")

    assert plan.consumers.count == 0
    assert plan.consumers.max == 4
    assert "*" not in plan.feed.symbols


def test_points_tell_what_happened_between_the_moments() -> None:
    queue = Histogram()
    moments = []
    for number in range(3):
        queue.add_one((number + 1) * 10 * MS_NS, 100)
        moments.append(Moment(number * 0.5, number * 200, 2, 1, 1, 3, queue.snapshot()))

    first, second = points_of(moments)

    assert (first.sent_per_s, second.sent_per_s) == (400.0, 400.0)
    assert first.queue_p50_ms == pytest.approx(20.0, rel=0.02)
    assert second.queue_p99_ms == pytest.approx(30.0, rel=0.02)
    assert queue_ms(moments, 0.0, 0.6, 0.5) == pytest.approx(20.0, rel=0.02)


def test_recovered_is_when_the_objective_is_kept_for_a_while() -> None:
    late = (900.0, 2_000.0, 40.0, None)
    calm = (40.0,) * 6

    assert recovered_s(seconds(10.0, 10.0, *late, *calm), OBJECTIVE_MS, step_s=2.0, until_s=20.0) == 4.0


@pytest.mark.parametrize(
    ("p99_ms", "expected"),
    [((10.0,) * 8, 0.0), ((900.0,) * 8, None), ((900.0, 40.0, 40.0, 40.0), None)],
)
def test_recovered_is_nothing_when_it_was_never_late_and_none_when_it_never_ends(
    p99_ms: tuple[float, ...], expected: float | None
) -> None:
    assert recovered_s(seconds(*p99_ms), OBJECTIVE_MS, step_s=0.0, until_s=20.0) == expected


def test_changes_and_time_of_consumers_are_counted() -> None:
    seen = [point(1.0), point(2.0, wanted=3), point(4.0, wanted=3, working=3), point(5.0, wanted=2, working=3)]

    assert changes(seen) == 2
    assert consumer_s(seen) == 1 + 6 + 3


def test_a_trace_can_be_kept_and_drawn() -> None:
    seen = [point(second / 2, p99_ms=None if second == 3 else 2.0**second) for second in range(1, 12)]
    trace = Trace("python -m benchmarks.elastic", OBJECTIVE_MS, 1.0, 3.0, 4.0, seen)

    drawn = plot(msgspec.json.decode(msgspec.json.encode(trace), type=Trace))

    svg = ET.fromstring(drawn)
    assert svg.tag.endswith("svg")
    paths = [element for element in svg.iter() if element.tag.endswith("path")]
    lines = {"".join(path.itertext()): path.get("d", "") for path in paths}
    assert {"sent", "nodes of the cluster", "consumers wanted", "consumers working", "p50", "p99"} <= lines.keys()
    assert any(path.get("class") == "limit" for path in paths)
    assert lines["p99"].count("M") == 2, "the line breaks where nothing was applied"
