import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_makers import a_fill, a_report, an_intent

from desk.model.orders import TERMINAL, Report
from desk.trading.order_life import (
    FILLS,
    STEPS,
    IllegalTransitionError,
    Order,
    ReportEffect,
    apply_report,
    change_status,
)

STATUSES = sorted(STEPS)
reports = st.builds(
    lambda number, status, quantity: (
        a_fill(quantity, number, status=status) if status in FILLS else a_report(status, number)
    ),
    st.integers(1, 12),
    st.sampled_from(STATUSES),
    st.sampled_from([0.1, 0.2, 1.0, 3.0, 4.0, 20.0]),
)


def test_fills_add_up_to_filled() -> None:
    order = Order(an_intent(quantity=0.3))

    first, second, third = (apply_report(order, a_fill(0.1, number)) for number in (1, 2, 3))

    assert first == second == ReportEffect(0.1)
    assert third is not None
    assert order.status == "filled"
    assert order.remaining == 0.0


def test_a_report_number_counts_once() -> None:
    order = Order(an_intent())
    apply_report(order, a_fill(4.0, 1))

    again = apply_report(order, a_fill(4.0, 1))

    assert again is None
    assert order.filled == 4.0


def test_a_fill_that_raced_a_cancel_still_counts_and_the_order_stays_canceled() -> None:
    order = Order(an_intent())
    apply_report(order, a_report("canceled", 2))

    late = apply_report(order, a_fill(4.0, 1))

    assert late == ReportEffect(4.0)
    assert (order.status, order.filled) == ("canceled", 4.0)


def test_a_late_fill_of_everything_makes_a_canceled_order_filled() -> None:
    order = Order(an_intent())
    apply_report(order, a_report("canceled", 2))

    apply_report(order, a_fill(10.0, 1))

    assert order.status == "filled"


def test_shares_beyond_the_quantity_are_distinguished() -> None:
    order = Order(an_intent())

    step = apply_report(order, a_fill(12.0))

    assert step == ReportEffect(10.0, 2.0)
    assert order.filled == 10.0


def test_a_partial_fill_leaves_a_pending_cancel_pending() -> None:
    order = Order(an_intent())
    change_status(order, "pending_cancel")

    apply_report(order, a_fill(4.0))

    assert order.status == "pending_cancel"


def test_a_refused_order_takes_no_report() -> None:
    order = Order(an_intent(), "refused")

    with pytest.raises(IllegalTransitionError, match="refused"):
        apply_report(order, a_fill(1.0))

    assert order == Order(an_intent(), "refused")


@pytest.mark.parametrize(
    "bad", [a_fill(0.0), a_fill(float("nan")), a_fill(1.0, price=0.0), a_fill(1.0, fee=float("inf"))]
)
def test_an_impossible_fill_is_refused_and_leaves_no_trace(bad: Report) -> None:
    order = Order(an_intent())

    with pytest.raises(IllegalTransitionError, match="no fill can be"):
        apply_report(order, bad)

    assert order == Order(an_intent())


@given(st.lists(reports, max_size=20))
def test_any_reports_lead_along_legal_steps_and_never_beyond_the_quantity(history: list[Report]) -> None:
    order = Order(an_intent())
    counted = 0.0

    for report in history:
        before, filled = order.status, order.filled
        try:
            step = apply_report(order, report)
        except IllegalTransitionError:
            step = None

        counted += step.counted if step else 0.0
        assert order.status == before or order.status in STEPS[before]
        assert filled <= order.filled <= order.intent.quantity
        assert not (before in TERMINAL and order.is_open)

    assert order.filled == pytest.approx(counted)
    assert (order.status == "filled") == (order.remaining == 0.0)


@given(st.permutations([a_fill(3.0, 1), a_fill(4.0, 2), a_report("canceled", 3)]))
def test_the_order_in_which_reports_arrive_does_not_change_the_outcome(arrivals: list[Report]) -> None:
    order = Order(an_intent())

    for report in arrivals:
        apply_report(order, report)

    assert (order.status, order.filled) == ("canceled", 7.0)
