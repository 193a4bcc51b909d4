import pytest

from desk.model.notices import Notice, PriceBands, TradingStatus, VenueBar, notice_fault

NAN, INF = float("nan"), float("inf")


def status(code: str) -> TradingStatus:
    return TradingStatus(1, "A", 5, 6, code)


def bar(*values: float) -> VenueBar:
    return VenueBar(1, "A", 60, 61, *values)


@pytest.mark.parametrize(("code", "halted", "resumed"), [("H", True, False), ("2", True, False), ("P", True, False)])
def test_the_codes_of_both_plans_halt(code: str, halted: bool, resumed: bool) -> None:
    assert (status(code).halted, status(code).resumed) == (halted, resumed)


@pytest.mark.parametrize("code", ["T", "3"])
def test_only_a_resumption_of_trading_resumes(code: str) -> None:
    assert status(code).resumed
    assert not status(code).halted


@pytest.mark.parametrize("code", ["Q", "5", "E", "1", ""])
def test_all_other_codes_change_nothing(code: str) -> None:
    assert not status(code).halted
    assert not status(code).resumed


@pytest.mark.parametrize(
    ("notice", "cause"),
    [
        (status("H"), ""),
        (status(""), "code"),
        (PriceBands(1, "A", 5, 6, 9.0, 11.0), ""),
        (PriceBands(1, "A", 5, 6, 0.0, 0.0), ""),
        (PriceBands(1, "A", 5, 6, 11.0, 9.0), "price"),
        (PriceBands(1, "A", 5, 6, NAN, 11.0), "price"),
        (PriceBands(1, "A", 5, 6, 9.0, INF), "price"),
        (bar(10.0, 11.0, 9.0, 10.0, 0.0), ""),
        (bar(10.0, 11.0, 0.0, 10.0, 5.0), "price"),
        (bar(10.0, NAN, 9.0, 10.0, 5.0), "price"),
        (bar(10.0, 11.0, 9.0, 10.0, -1.0), "size"),
        (bar(10.0, 11.0, 9.0, 10.0, NAN), "size"),
    ],
)
def test_a_malformed_notice_has_a_cause(notice: Notice, cause: str) -> None:
    assert notice_fault(notice) == cause
