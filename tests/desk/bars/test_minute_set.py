from hypothesis import given
from hypothesis import strategies as st

from desk.bars.minute_set import MinuteSet
from desk.model.units import MINUTE_NS

steps = st.lists(st.tuples(st.booleans(), st.integers(0, 12).map(lambda minute: minute * MINUTE_NS)), max_size=60)


@given(steps)
def test_it_holds_what_a_set_holds(changes: list[tuple[bool, int]]) -> None:
    kept, plain = MinuteSet(), set[int]()

    for is_added, minute_ns in changes:
        (kept.add if is_added else kept.discard)(minute_ns)
        (plain.add if is_added else plain.discard)(minute_ns)

    assert kept.minutes().tolist() == sorted(plain)
    assert all((minute * MINUTE_NS in kept) == (minute * MINUTE_NS in plain) for minute in range(14))
    assert bool(kept) == bool(plain)
    assert MinuteSet(kept.bounds).minutes().tolist() == sorted(plain)


def test_minutes_that_follow_each_other_are_one_range_in_any_order_of_arrival() -> None:
    kept = MinuteSet()

    for minute in (*range(0, 60, 2), *range(59, 0, -2)):
        kept.add(minute * MINUTE_NS)

    assert kept.bounds == [0, 60 * MINUTE_NS]


def test_it_can_be_emptied() -> None:
    kept = MinuteSet([0, MINUTE_NS])

    kept.clear()

    assert not kept
    assert len(kept.minutes()) == 0
