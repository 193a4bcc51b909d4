"""Flags take precedence over the environment, and the environment over the plan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.config import ConsumersPlan, Plan, SessionPlan, Settings, choose_consumers, initial_consumers, override
from desk.model.errors import PlanError

COUNTS = st.integers(0, 8)


def plan(count: int) -> Plan:
    return Plan(session=SessionPlan(name="day"), consumers=ConsumersPlan(count=count, max=8))


@given(planned=COUNTS, said=st.none() | COUNTS, flag=st.none() | COUNTS)
def test_the_flag_goes_before_the_environment_and_that_before_the_plan(
    planned: int, said: int | None, flag: int | None
) -> None:
    wanted = next(count for count in (flag, said, planned) if count is not None)

    effective = override(plan(planned), Settings(num_consumers=said), flag)

    assert effective.consumers.count == wanted
    assert initial_consumers(effective) == wanted or (wanted == 0 and 1 <= initial_consumers(effective) <= 8)
    assert effective.model_copy(update={"consumers": plan(planned).consumers}) == plan(planned)


@given(
    cores=st.integers(1, 500),
    busy=st.integers(0, 500),
    bounds=st.tuples(st.integers(1, 64), st.integers(1, 64)).map(sorted),
)
def test_a_chosen_count_leaves_the_producer_a_core_and_others_theirs_within_the_bounds(
    cores: int, busy: int, bounds: list[int]
) -> None:
    least, most = bounds

    count = choose_consumers(cores, busy + 0.3, least, most)

    assert least <= count <= most
    assert count == cores - 1 - busy or count in bounds


@pytest.mark.parametrize(("said", "flag", "place"), [(9, None, "NUM_CONSUMERS"), (1, 9, "--consumers"), (1, -1, "--c")])
def test_a_count_beyond_the_plan_is_refused_where_it_was_said(said: int, flag: int | None, place: str) -> None:
    with pytest.raises(PlanError) as caught:
        override(plan(1), Settings(num_consumers=said), flag)

    assert place in caught.value.place
    assert "max" in caught.value.remedy


@pytest.mark.parametrize("connector", ["alpaca", "polygon"])
def test_a_connector_that_does_not_fit_is_refused(connector: str) -> None:
    settings = Settings.model_validate({"data_connector": connector})

    with pytest.raises(PlanError) as caught:
        override(plan(1), settings, None)

    assert caught.value.place == "environment, DATA_CONNECTOR"
    assert caught.value.found.startswith(f"`{connector}`")
    assert "Unset" in caught.value.remedy


def test_a_connector_replaces_the_feed_of_a_paper_plan() -> None:
    paper = Plan.model_validate({"session": {"name": "paper", "mode": "paper"}, "feed": {"symbols": ["SPY"]}})

    connected = override(paper, Settings(data_connector="alpaca"), None)

    assert connected.feed.kind == "alpaca"
    assert connected.feed.symbols == ("SPY",)
