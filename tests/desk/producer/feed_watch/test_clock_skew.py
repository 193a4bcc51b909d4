"""The clock skew meter: its values, and how often it reports."""

from statistics import median

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS
from desk.producer.feed_watch.clock_skew import MIN_SECONDS, WINDOW_SECONDS, SkewMeter, SkewState

NS = SECOND_NS
HOUR_NS = 60 * MINUTE_NS


def a_meter(delay_ns: int = 0) -> SkewMeter:
    return SkewMeter("venue", NS, delay_ns)


def errors(meter: SkewMeter, *offsets_ns: int, pace: float = 1.0) -> list[str]:
    """What is noted while the fastest tick of each second is so far off."""
    texts = []
    for offset_ns in offsets_ns:
        meter.take(offset_ns + 7 * NS)
        meter.take(offset_ns)
        meter.take(offset_ns + 1)
        notes = meter.mark(pace)
        assert {note.level for note in notes} <= {"error"}
        texts += [note.text for note in notes]
    return texts


offsets = st.lists(st.lists(st.integers(-(10**12), 10**12), max_size=4), max_size=30)


@given(offsets, st.integers(0, 10**12))
def test_the_value_is_the_median_over_the_fastest_tick_of_the_recent_seconds_with_ticks(
    seconds: list[list[int]], delay_ns: int
) -> None:
    meter = a_meter(delay_ns)
    for ticks in seconds:
        for offset_ns in ticks:
            meter.take(offset_ns)
        meter.mark()

    fastest = [min(ticks) - delay_ns for ticks in seconds if ticks][-WINDOW_SECONDS:]
    assert meter.skew_ns == (round(median(fastest)) if fastest else 0)


def test_an_offset_is_an_error_once_three_seconds_had_ticks_and_again_when_it_has_doubled() -> None:
    meter = a_meter()

    early = errors(meter, 3 * NS, 3 * NS)
    first = errors(meter, 3 * NS)
    same = errors(meter, *[5 * NS] * WINDOW_SECONDS)
    doubled = errors(meter, *[6 * NS] * WINDOW_SECONDS)
    back = errors(meter, *[3 * NS] * WINDOW_SECONDS)

    assert [len(texts) for texts in (early, first, same, doubled, back)] == [0, 1, 0, 1, 0]
    assert "3.0 s behind" in first[0]
    assert "6.0 s behind" in doubled[0]
    assert "6.0 s" in meter.problem


def test_a_feed_that_ends_sooner_is_judged_at_its_end() -> None:
    meter = a_meter()

    during = errors(meter, 3 * NS)
    at_the_end = meter.end()

    assert during == []
    assert len(at_the_end) == 1
    assert meter.problem


def test_a_single_tick_that_is_far_off_is_no_skew() -> None:
    meter = a_meter()

    assert errors(meter, 0, 0, -HOUR_NS, 0, 0, HOUR_NS, 0) == []
    assert meter.problem == ""
    assert meter.skew_ns == 0


@pytest.mark.parametrize(
    ("offset_ns", "words"),
    [
        (2 * NS, "2.0 s behind the time of reception (lag or clock);"),
        (-2 * NS, "2.0 s ahead of the time of reception (clock);"),
        (5 * HOUR_NS, "(lag or clock; 5 h: local time taken for UTC?)"),
        (-5 * HOUR_NS - 40 * NS, "(clock; 5 h: local time taken for UTC?)"),
        (5 * HOUR_NS + HOUR_NS // 2, "5.5 h: local time taken for UTC?"),
        (15 * MINUTE_NS, "900.0 s behind the time of reception (lag or clock);"),
    ],
)
def test_an_offset_is_named_by_its_sign_and_by_a_time_zone_that_would_explain_it(offset_ns: int, words: str) -> None:
    (text,) = errors(a_meter(), *[offset_ns] * MIN_SECONDS)

    assert words in text


def test_a_feed_that_is_late_by_design_is_not_skewed() -> None:
    meter = a_meter(delay_ns=900 * NS)

    assert errors(meter, *[900 * NS + MS_NS] * WINDOW_SECONDS) == []
    assert meter.skew_ns == MS_NS


def test_a_venue_that_plays_faster_is_allowed_as_much_wall_time() -> None:
    assert errors(a_meter(), *[30 * NS] * WINDOW_SECONDS, pace=60.0) == []
    assert errors(a_meter(), *[61 * NS] * WINDOW_SECONDS, pace=60.0)


@given(offsets, st.integers(0, 29))
def test_a_successor_continues_as_if_nothing_had_happened(seconds: list[list[int]], dies_after: int) -> None:
    def play(meter: SkewMeter, seconds: list[list[int]]) -> list[str]:
        texts = []
        for ticks in seconds:
            for offset_ns in ticks:
                meter.take(offset_ns)
            texts += [note.text for note in meter.mark()]
        return texts

    whole, first = a_meter(), a_meter()
    expected = play(whole, seconds)

    found = play(first, seconds[:dies_after])
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(first.state), type=SkewState)
    second = SkewMeter("venue", NS, 0, kept)
    found += play(second, seconds[dies_after:])

    assert found == expected
    assert (second.skew_ns, second.problem) == (whole.skew_ns, whole.problem)
