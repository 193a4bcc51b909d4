"""Periods of old data: start and end are reported, reports are bounded, totals are right."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from desk.model.units import SECOND_NS
from desk.producer.feed_watch.data_age import QUIET_NS, DataAge, DataAgeReading, DataAgeState

NS = SECOND_NS
LIMIT_NS = 10 * NS


def told(age: DataAge, from_s: int, *ages_s: float, cause: str = "feed lag") -> list[str]:
    texts = []
    for second, age_s in enumerate(ages_s, from_s):
        notes = age.mark(second * NS, DataAgeReading(round(age_s * NS), cause))
        assert {note.level for note in notes} <= {"error"}
        texts += [note.text for note in notes]
    return texts


def test_a_spell_of_old_data_is_reported_at_its_beginning_and_at_its_end_with_age_and_cause() -> None:
    age = DataAge("venue", LIMIT_NS)

    texts = told(age, 1, 1.0, 10.0, 12.0, 15.0, 3.0, 1.0, cause="lane")

    assert texts == [
        "venue: the data are 12.0 s old (lane), above max_data_latency_s = 10: no entries",
        "venue: the data are fresh again, 3.0 s old, after 2.0 s",
    ]
    assert age.warning(6 * NS) == (
        "venue: the data were older than max_data_latency_s = 10 once, for 2.0 s in all, at most 15.0 s (lane): "
        "no entries meanwhile"
    )
    assert not age.is_old


def test_data_that_are_held_back_are_too_old_whatever_their_age() -> None:
    age = DataAge("venue", LIMIT_NS)

    notes = age.mark(NS, DataAgeReading(2 * NS, "hold by the overload ladder", hold=True))

    assert "hold by the overload ladder" in notes[0].text
    assert age.is_old


def test_a_run_that_ends_in_a_spell_counts_it_to_its_end() -> None:
    age = DataAge("venue", LIMIT_NS)
    told(age, 1, 12.0, 12.0)

    assert age.is_old
    assert "for 4.0 s in all" in age.warning(5 * NS)


def test_flapping_is_reported_once_a_minute_and_counted() -> None:
    age = DataAge("venue", LIMIT_NS)

    texts = told(age, 0, *[12.0, 1.0] * 60)

    assert len(texts) == 4
    assert "29 more such spells in the last minute" in texts[2]
    assert "60 times" in age.warning(120 * NS)


def test_a_spell_that_lasts_is_reported_when_the_quiet_minute_is_over() -> None:
    age = DataAge("venue", LIMIT_NS)
    told(age, 0, 12.0, 1.0)

    texts = told(age, 2, *[12.0] * 100, 1.0)

    assert len(texts) == 2
    assert "fresh again" in texts[1]


ages = st.lists(st.sampled_from([0.0, 9.9, 10.0, 10.1, 60.0]), max_size=200)


@given(ages)
def test_old_is_what_is_above_the_limit_and_lines_are_bounded_and_in_pairs(ages_s: list[float]) -> None:
    age, texts = DataAge("venue", LIMIT_NS), []

    for second, age_s in enumerate(ages_s):
        texts += told(age, second, age_s)
        assert age.is_old == (age_s > 10.0)

    begins = ["no entries" in text for text in texts]
    assert begins == [number % 2 == 0 for number in range(len(texts))]
    assert sum(begins) <= 1 + len(ages_s) * NS // QUIET_NS
    assert bool(age.warning(len(ages_s) * NS)) == any(age_s > 10.0 for age_s in ages_s)


@given(ages, st.integers(0, 199))
def test_a_successor_continues_as_if_nothing_had_happened(ages_s: list[float], dies_after: int) -> None:
    whole, first = DataAge("venue", LIMIT_NS), DataAge("venue", LIMIT_NS)
    expected = told(whole, 0, *ages_s)

    found = told(first, 0, *ages_s[:dies_after])
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(first.state), type=DataAgeState)
    second = DataAge("venue", LIMIT_NS, kept)
    found += told(second, min(dies_after, len(ages_s)), *ages_s[dies_after:])

    assert found == expected
    end_ns = len(ages_s) * NS
    assert second.warning(end_ns) == whole.warning(end_ns)
