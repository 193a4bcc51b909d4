"""The rule by which a rate counts as sustained, and the search for the highest rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.sustained import STEP, Window, highest

GOOD = Window(seconds=10.0, due=100_000.0, sent=99_900, dropped=0, growth_s=0.01, queue_p99_s=0.02)


def changed(**fields: object) -> Window:
    return Window(**({name: getattr(GOOD, name) for name in GOOD.__dataclass_fields__} | fields))  # type: ignore[arg-type]


def test_a_window_without_fault_is_sustained() -> None:
    assert not GOOD.failing()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"sent": 99_499}, "venue sent"),
        ({"sent": 0, "due": 0.0}, "venue sent"),
        ({"dropped": 1}, "1 dropped"),
        ({"growth_s": 0.11}, "backlog grew"),
        ({"growth_s": float("inf")}, "backlog grew"),
        ({"queue_p99_s": None}, "nothing was applied"),
        ({"queue_p99_s": 1.0}, "p99 in queue"),
    ],
)
def test_each_fault_is_named(fields: dict[str, object], reason: str) -> None:
    assert changed(**fields).failing().startswith(reason)


@pytest.mark.parametrize("fields", [{"sent": 99_500}, {"growth_s": 0.1}, {"queue_p99_s": 0.999}])
def test_the_bounds_themselves_are_within(fields: dict[str, object]) -> None:
    assert not changed(**fields).failing()


@given(limit=st.floats(1_000, 900_000), start=st.floats(1_000, 900_000))
def test_the_search_ends_just_below_the_limit(limit: float, start: float) -> None:
    best = highest(lambda rate: rate <= limit, start)

    # The first failing step is at most a quarter above the last good one, and one bisection halves what is between.
    assert best == 0.0 or best <= limit
    if start * STEP**16 >= limit >= start / STEP**16:
        assert best * (1 + (STEP - 1) / 2) >= limit / (1 + 1e-9)


def test_a_search_among_rates_that_all_fail_finds_none() -> None:
    assert highest(lambda _: False, 1_000.0) == 0.0
