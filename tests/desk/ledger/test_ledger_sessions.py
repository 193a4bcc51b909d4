"""A session's name is minted once, and found again by a start after a crash."""

from collections.abc import Callable

from desk.ledger import SqlLedger

Opened = Callable[..., SqlLedger]


def test_a_start_after_a_crash_goes_on_with_the_unclosed_session(opened: Opened, url: str) -> None:
    opened(url).open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=1)

    resumed = opened(url).open_session("second", plan="orb", mode="paper", day="2025-05-02", now_ns=2)

    assert resumed == "first"


def test_a_start_after_an_orderly_end_begins_a_session(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=1)
    ledger.close_session(5)

    begun = ledger.open_session("second", plan="orb", mode="paper", day="2025-05-02", now_ns=6)

    assert begun == ledger.session == "second"


def test_sessions_of_other_days_modes_and_plans_are_not_resumed(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=1)

    assert ledger.open_session("a", plan="orb", mode="paper", day="2025-05-05", now_ns=2) == "a"
    assert ledger.open_session("b", plan="orb", mode="live", day="2025-05-02", now_ns=2) == "b"
    assert ledger.open_session("c", plan="other", mode="paper", day="2025-05-02", now_ns=2) == "c"


def test_a_closed_session_of_the_same_name_is_opened_again(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.open_session("orb-2013-10-07", plan="orb", mode="replay", day="2013-10-07", now_ns=1)
    ledger.close_session(5)

    again = ledger.open_session("orb-2013-10-07", plan="orb", mode="replay", day="2013-10-07", now_ns=9)

    assert again == "orb-2013-10-07"
    assert opened(url).open_session("x", plan="orb", mode="replay", day="2013-10-07", now_ns=10) == again


def test_a_session_that_is_still_open_is_opened_again_under_its_name(opened: Opened, url: str) -> None:
    opened(url).open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=1)

    assert opened(url).open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=2) == "first"


def test_who_names_a_session_resumes_that_one_whatever_else_was_left_open(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=1)
    ledger.close_session(2)
    ledger.open_session("second", plan="orb", mode="paper", day="2025-05-02", now_ns=3)

    assert ledger.open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=4) == "first"
