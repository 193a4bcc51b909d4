"""Outages of a feed: notes and their times, open gaps, and counts."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.feeds.live.outages import FAREWELL_NS, LATE, LATE_NS, RESTARTED, FeedOutages, OutageGap
from desk.model.units import SECOND_NS

NS = SECOND_NS
LEVELS = {"info", "warning", "error"}


def notes(outages: FeedOutages) -> list[tuple[str, str]]:
    return [(note.level, note.text.removeprefix("venue: ")) for note in outages.take_notes()]


def connected(farewell_ns: int = 0) -> FeedOutages:
    outages = FeedOutages("venue", farewell_ns)
    outages.begin(1, 0)
    outages.back(NS, NS)
    outages.take_notes()
    return outages


def test_a_connection_that_is_made_at_the_first_attempt_is_no_outage() -> None:
    outages = FeedOutages("venue")
    outages.begin(1, 0)
    outages.look(NS)
    outages.back(NS, NS)
    outages.end(2 * NS, 2 * NS, "", over=False)

    assert notes(outages) == [("info", "connected and subscribed")]
    assert outages.gaps == []
    assert (outages.health.up, outages.health.subscribed, outages.health.outages) == (True, True, 0)


def test_a_feed_that_never_connects_is_an_error_at_its_first_failure_and_a_gap_from_the_beginning() -> None:
    outages = FeedOutages("venue")
    outages.begin(5 * NS, 0)

    outages.failed(NS, "refused")
    at_once = notes(outages)
    outages.failed(2 * NS, "refused")
    again = notes(outages)
    outages.end(9 * NS, 4 * NS, "", over=False)

    assert at_once == [("error", "the feed is not connected: refused; it is tried again")]
    assert again == []
    assert outages.gaps == [OutageGap(5 * NS, 9 * NS, "refused")]
    assert (outages.health.up, outages.health.subscribed, outages.health.failures) == (False, False, 2)


def test_a_loss_is_noted_at_once_and_the_return_with_its_seconds() -> None:
    outages = connected()

    outages.lost(3 * NS, 4 * NS, "closed")
    outages.look(4 * NS)
    at_once = notes(outages)
    outages.failed(5 * NS, "refused")
    outages.back(7 * NS, 7 * NS + NS // 2)
    back = notes(outages)

    assert at_once == [("warning", "the feed is down: closed")]
    assert back == [
        ("warning", "attempt 1 to connect failed: refused"),
        ("warning", "subscribed again after 3.5 s"),
    ]
    assert outages.gaps == [OutageGap(3 * NS, 7 * NS, "closed")]
    assert (outages.health.up, outages.health.outages, outages.health.down_ns) == (True, 1, 4 * NS)
    assert outages.health.last_outage == "closed"


def test_an_outage_that_lasts_is_an_error_after_30_s_and_at_each_doubling() -> None:
    outages = connected()
    outages.lost(0, 0, "closed")
    outages.look(0)
    outages.take_notes()

    told = []
    for second in range(1, 300):
        outages.look(second * NS)
        told += [(second, level) for level, _ in notes(outages)]

    assert told == [(30, "error"), (60, "error"), (120, "error"), (240, "error")]


def test_reasons_that_change_are_noted_and_not_without_end() -> None:
    outages = connected()
    outages.lost(0, 0, "closed")

    for number in range(50):
        outages.failed(NS, f"reason {number}")

    assert len(notes(outages)) == 6


def test_the_gap_that_is_open_at_the_end_is_written() -> None:
    outages = connected()

    outages.lost(3 * NS, 3 * NS, "closed")
    outages.end(8 * NS, 8 * NS, "", over=False)

    assert outages.gaps == [OutageGap(3 * NS, 8 * NS, "closed")]
    assert notes(outages) == [("warning", "the feed is down: closed")]
    assert not outages.health.up


def test_what_the_venue_owes_tells_why_a_feed_that_never_failed_is_down() -> None:
    outages = FeedOutages("venue")
    outages.begin(0, 0)

    outages.end(9 * NS, 9 * NS, "the greeting", over=False)

    assert outages.gaps == [OutageGap(0, 9 * NS, "the venue still owed the greeting")]
    assert notes(outages)[0][0] == "error"


def test_a_venue_that_ends_after_it_hung_up_leaves_neither_note_nor_gap() -> None:
    outages = connected(farewell_ns=NS)

    outages.lost(3 * NS, 3 * NS, "closed")
    outages.look(3 * NS)
    outages.look(3 * NS + NS // 2, over=True)
    outages.end(4 * NS, 4 * NS, "", over=True)

    assert notes(outages) == []
    assert outages.gaps == []
    assert (outages.health.up, outages.health.outages) == (True, 0)


def test_a_venue_that_ended_long_after_a_loss_is_not_down_but_the_gap_stays() -> None:
    outages = connected(farewell_ns=NS)

    outages.lost(3 * NS, 3 * NS, "closed")
    outages.end(60 * NS, 3 * NS + FAREWELL_NS, "", over=True)

    assert outages.gaps == [OutageGap(3 * NS, 60 * NS, "closed")]
    assert outages.health.up


def test_a_venue_that_does_not_end_is_down_a_moment_later() -> None:
    outages = connected(farewell_ns=NS)

    outages.lost(3 * NS, 3 * NS, "closed")
    outages.look(3 * NS)
    at_once = notes(outages)
    outages.look(4 * NS)

    assert at_once == []
    assert notes(outages) == [("warning", "the feed is down: closed")]


def test_a_restart_is_an_outage_from_the_last_mark_on() -> None:
    outages = FeedOutages("venue", farewell_ns=NS)
    outages.health.subscribed = True

    outages.begin(3 * NS, 7 * NS, RESTARTED)
    outages.look(7 * NS)
    outages.back(8 * NS, 8 * NS)

    assert outages.gaps == [OutageGap(3 * NS, 8 * NS, RESTARTED)]
    assert [level for level, _ in notes(outages)] == ["warning", "warning"]


def test_a_first_subscription_that_keeps_waiting_is_an_outage_which_names_what_is_owed() -> None:
    outages = FeedOutages("venue")
    outages.begin(1, 0)

    outages.look(LATE_NS - 1, "the greeting")
    in_time = notes(outages)
    outages.look(LATE_NS, "the greeting")
    late = notes(outages)
    lasting = outages.open_gap(LATE_NS)
    outages.back(8 * NS, 8 * NS)

    assert in_time == []
    assert late == [("error", "the feed is not connected: the venue still owed the greeting; it is tried again")]
    assert lasting == OutageGap(1, LATE_NS, "the venue still owed the greeting")
    assert notes(outages) == [("warning", "subscribed after 8.0 s")]
    assert outages.gaps == [OutageGap(1, 8 * NS, "the venue still owed the greeting")]


@pytest.mark.parametrize(("from_s", "gaps"), [(59, [OutageGap(59 * NS, 62 * NS, LATE)]), (1, [])])
def test_a_short_wait_for_the_first_subscription_is_a_gap_where_a_minute_began_in_it(
    from_s: int, gaps: list[OutageGap]
) -> None:
    outages = FeedOutages("venue")
    outages.begin(from_s * NS, 0)

    outages.back((from_s + 3) * NS, 3 * NS)

    assert notes(outages) == [("info", "connected and subscribed")]
    assert outages.gaps == gaps


def test_a_gap_is_open_from_the_loss_on_and_not_before_the_session() -> None:
    outages = connected()
    before = outages.open_gap(2 * NS)
    outages.lost(3 * NS, 3 * NS, "closed")
    outages.look(3 * NS)
    early = FeedOutages("venue", start_ns=9 * NS)
    early.begin(9 * NS, 0)
    early.failed(NS, "refused")

    assert before is None
    assert outages.open_gap(5 * NS) == OutageGap(3 * NS, 5 * NS, "closed")
    assert early.open_gap(9 * NS) is None
    assert early.open_gap(10 * NS) == OutageGap(9 * NS, 10 * NS, "refused")
    outages.back(6 * NS, 6 * NS)
    assert outages.open_gap(6 * NS) is None


def test_a_loss_that_may_be_a_farewell_opens_no_gap_until_it_is_none() -> None:
    outages = connected(farewell_ns=NS)

    outages.lost(3 * NS, 3 * NS, "closed")
    outages.look(3 * NS)
    at_once, is_farewell = outages.open_gap(3 * NS + 1), outages.is_farewell(3 * NS + 1)
    outages.look(4 * NS)

    assert (at_once, is_farewell) == (None, True)
    assert outages.open_gap(4 * NS) == OutageGap(3 * NS, 4 * NS, "closed")


def test_a_fault_that_ends_the_feed_is_noted_by_the_run_alone() -> None:
    outages = connected()

    outages.fail(3 * NS, 3 * NS, "402")
    outages.end(4 * NS, 4 * NS, "", over=False)

    assert notes(outages) == []
    assert outages.gaps == [OutageGap(3 * NS, 4 * NS, "402")]
    assert (outages.health.is_failed, outages.health.up) == (True, False)


def test_an_end_without_a_subscription_announces_no_further_attempt() -> None:
    outages = FeedOutages("venue")
    outages.begin(1, 0)

    outages.end(2 * NS, 2 * NS, "", over=False)

    assert notes(outages) == [("error", "the feed is not connected")]


steps = st.lists(st.sampled_from(["lost", "failed", "fail", "back", "look"]), max_size=40)


@given(steps, st.booleans(), st.integers(0, 2))
def test_gaps_never_overlap_and_their_lengths_are_the_time_that_the_feed_was_down(
    script: list[str], over: bool, farewell_s: int
) -> None:
    outages = FeedOutages("venue", farewell_s * NS)
    outages.begin(0, 0)
    now_ns = 0
    for step in script:
        now_ns += NS
        is_down = outages.down_from_ns is not None
        if step == "lost" and not is_down:
            outages.lost(now_ns, now_ns, "closed")
        elif step == "failed" and is_down:
            outages.failed(now_ns, "refused")
        elif step == "fail":
            outages.fail(now_ns, now_ns, "402")
        elif step == "back" and is_down:
            outages.back(now_ns, now_ns)
        outages.look(now_ns)
    outages.end(now_ns + NS, now_ns + NS, "", over=over)

    gaps = outages.gaps
    assert all(earlier.to_ns <= later.from_ns for earlier, later in pairwise(gaps))
    assert outages.health.down_ns == sum(gap.to_ns - gap.from_ns for gap in gaps)
    assert outages.health.outages == len(gaps)
    assert {note.level for note in outages.take_notes()} <= LEVELS
