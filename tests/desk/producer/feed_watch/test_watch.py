"""The watch over the feed: notes, alerts, warnings and problems, also through a restart."""

from typing import Any

import msgspec
import pytest

from desk.model.block_rows import BlockFeedCounts
from desk.model.errors import CredentialsError, DeskError
from desk.model.feed_health import FeedHealth, Freshness, SymbolActivity
from desk.model.hours import ALWAYS_OPEN, TradingDay
from desk.model.notes import Note
from desk.model.notices import VenueBar
from desk.model.ticks import Frame, Quote, Tick, Trade
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.producer.feed_watch.watch import FeedAges, FeedWatch, FeedWatchConfig
from desk.producer.subscriptions import Subscriptions
from desk.report.implausible_times import implausible_times
from desk.report.summary import ClassCounts

NS = SECOND_NS
START_NS = 1_000 * MINUTE_NS
HOUR_NS = 60 * MINUTE_NS
FRESH = FeedAges(0)


class HandFeed:
    """A live feed without a venue: a test says what it has been through."""

    def __init__(self) -> None:
        self.counts = BlockFeedCounts()
        self.health = FeedHealth(subscribed=True, up=True)
        self.pace = 1.0
        self.down_from_ns: int | None = None
        self.down_why = ""
        self.fresh = Freshness()
        self.notes: list[Note] = []
        self.fault: DeskError | None = None
        self.activity = SymbolActivity()
        self.resubscribed: list[str] = []

    def is_open(self, session_ns: int) -> bool:
        return True

    def take_activity(self) -> SymbolActivity:
        taken, self.activity = self.activity, SymbolActivity()
        return taken

    def resubscribe(self, symbols: list[str]) -> None:
        self.resubscribed += symbols

    def freshness(self, wall_ns: int) -> Freshness:
        return self.fresh

    def take_notes(self) -> list[Note]:
        notes, self.notes = self.notes, []
        return notes


def a_watch(feed: HandFeed, symbols: list[str], state: bytes = b"", **config: Any) -> FeedWatch:
    found: Any = feed
    return FeedWatch(FeedWatchConfig("venue", **config), 10 * NS, found, found, Subscriptions(symbols), state)


def received(feed: HandFeed, count: int = 1) -> None:
    feed.counts.received["trades"] += count


def play(watch: FeedWatch, seconds: int, first: int = 1) -> list[str]:
    texts = []
    for second in range(first, first + seconds):
        _, _, notes = watch.mark(START_NS + second * NS, 0, FRESH)
        texts += [note.text for note in notes]
    return texts


def trade(ts_ns: int) -> Trade:
    return Trade(1, "A", ts_ns, 0, 10.0, 100.0)


def test_a_good_feed_has_neither_warnings_nor_problems() -> None:
    feed = HandFeed()
    watch = a_watch(feed, ["A"])
    watch.met(["A"])
    received(feed)

    play(watch, 100)

    report = watch.report()
    assert (report.up, report.warnings, report.problems, watch.alerts()) == (True, [], [], [])


def test_symbols_that_send_nothing_are_named_after_a_minute_of_the_exchanges_hours_and_at_the_end() -> None:
    feed = HandFeed()
    symbols = [f"S{number:02d}" for number in range(15)]
    watch = a_watch(feed, ["*", *symbols], hours=TradingDay(0, START_NS + 200 * NS, START_NS + 359 * NS, 1 << 62))
    watch.met(["S00"])
    received(feed)

    closed = play(watch, 199)
    before = play(watch, 59, first=200)
    (live,) = play(watch, 100, first=259)
    after = play(watch, 100, first=359)

    assert closed == before == after == []
    assert "no tick of 14 subscribed symbols in 60 s" in live
    assert live.endswith("S01, S02, S03, S04, S05, S06, S07, S08, S09, S10, …")
    (warning,) = watch.report().warnings
    assert "14 subscribed symbols in 159 s" in warning
    assert watch.report().problems == []


def test_time_without_a_subscription_makes_no_symbol_silent() -> None:
    feed = HandFeed()
    feed.down_from_ns = START_NS
    watch = a_watch(feed, ["A"])

    assert [text for text in play(watch, 100) if "nothing came" in text] == []


def test_refused_symbols_are_a_problem_an_alert_and_not_silent() -> None:
    feed = HandFeed()
    feed.health.refused = {"quotes": ["B", "C"], "trades": ["B"]}
    watch = a_watch(feed, ["A", "B", "C"])
    watch.met(["A"])
    received(feed)
    play(watch, 100)

    report = watch.report()

    assert report.refused_symbols == ["B", "C"]
    assert report.problems == [
        "venue: the venue does not grant the quotes of 2 symbols: B, C",
        "venue: the venue does not grant the trades of 1 symbol: B",
    ]
    assert report.warnings == []
    assert watch.alerts() == ["not granted by the venue: B, C"]


def test_a_feed_that_is_down_makes_the_data_old_and_is_shown() -> None:
    feed = HandFeed()
    watch = a_watch(feed, ["A"])
    received(feed)
    feed.health.up, feed.health.last_failure = False, "closed"
    feed.down_from_ns, feed.down_why = START_NS, "closed"
    feed.fresh = Freshness("the feed is down", 2 * NS)

    first = watch.mark(START_NS + NS, 0, FeedAges(11))
    young = watch.mark(START_NS + 10 * NS, 0, FRESH)
    lag_ns, old, notes = watch.mark(START_NS + 11 * NS, 0, FRESH)

    assert first == (2 * NS + 11, True, [])
    assert young == (10 * NS, True, [])
    assert (lag_ns, old) == (11 * NS, True)
    assert "11.0 s old (the feed is down)" in notes[0].text
    assert watch.alerts() == ["feed down for 11 s: closed", "data too old: no entries"]
    assert watch.report().problems == ["venue: down for 11 s when the run ended: closed"]


def test_a_silence_under_a_subscription_ages_the_data_and_bars_entries_from_its_limit_on() -> None:
    feed = HandFeed()
    watch = a_watch(feed, ["*"])
    received(feed)

    feed.fresh = Freshness("", 3 * NS)
    quiet = watch.mark(START_NS, 0, FeedAges(11))
    feed.fresh = Freshness("neither data nor a pong for 6 s", 6 * NS)
    silent = watch.mark(START_NS + NS, 0, FeedAges(11))
    alerts = watch.alerts()
    again = watch.mark(START_NS + 2 * NS, 0, FeedAges(11))
    feed.fresh = Freshness()
    fresh = watch.mark(START_NS + 3 * NS, 0, FeedAges(11))

    assert quiet == (3 * NS + 11, False, [])
    assert silent[:2] == again[:2] == (6 * NS + 11, True)
    assert [note.text for note in silent[2]] == ["venue: neither data nor a pong for 6 s: no entries"]
    assert alerts == ["neither data nor a pong for 6 s: no entries"]
    assert (again[2], fresh) == ([], (11, False, []))


def test_a_fault_that_ends_the_run_is_no_second_problem() -> None:
    feed = HandFeed()
    feed.health = FeedHealth(last_failure="402 auth failed", failures=1, is_failed=True)

    assert a_watch(feed, ["A"]).report().problems == []


def test_ticks_that_were_skipped_beside_others_are_a_warning_with_their_reasons() -> None:
    feed = HandFeed()
    watch = a_watch(feed, ["*"])
    received(feed)
    feed.counts.skipped |= {"trades": 5, "quotes": 7}
    feed.health.early, feed.health.late = 8, 1

    (warning,) = watch.report().warnings

    assert warning == ("venue: skipped 12 ticks: 8 before the session's start, 1 after its stop, 3 not subscribed")


def test_a_feed_that_never_subscribed_has_one_problem_that_says_so() -> None:
    feed = HandFeed()
    feed.health = FeedHealth(failures=7, last_failure="no connection: refused")
    feed.down_from_ns = START_NS
    watch = a_watch(feed, ["A"])

    assert watch.report().problems == [
        "venue: never subscribed; 7 failed attempts, the last: no connection: refused. Check url, keys and network."
    ]
    assert not watch.report().up


def test_a_run_that_ends_before_its_first_connection_blames_neither_url_nor_keys() -> None:
    feed = HandFeed()
    feed.health = FeedHealth(last_failure="no connection yet")

    (problem,) = a_watch(feed, ["A"]).report().problems

    assert problem == "venue: the run ended before the first connection; nothing was received."


def test_a_successor_that_did_not_connect_before_the_end_does_not_hide_what_was_received() -> None:
    feed = HandFeed()
    feed.health = FeedHealth(last_failure="no connection yet")
    received(feed, 33)

    (problem,) = a_watch(feed, ["A"]).report().problems

    assert problem == "venue: the run ended before its producer's successor was connected."


def test_a_feed_none_of_whose_ticks_belong_to_the_session_is_reported() -> None:
    feed = HandFeed()
    feed.counts.skipped["trades"] += 7

    (problem,) = a_watch(feed, ["A"]).report().problems

    assert problem.startswith("venue: no tick was accepted: 7 ticks outside the session, or not subscribed.")


def test_a_venue_that_owes_its_greeting_is_reported_without_a_count_of_attempts() -> None:
    feed = HandFeed()
    feed.health = FeedHealth(last_failure="the venue still owed the greeting")

    assert a_watch(feed, ["A"]).report().problems == [
        "venue: never subscribed; the venue still owed the greeting. Check url, keys and network."
    ]


def test_a_refusal_that_is_a_sentence_ends_with_one_full_stop() -> None:
    feed = HandFeed()
    feed.health = FeedHealth(failures=1, last_failure="402 auth failed. Set the keys.")

    (problem,) = a_watch(feed, ["A"]).report().problems

    assert problem.endswith("the last: 402 auth failed. Set the keys. Check url, keys and network.")


@pytest.mark.parametrize(("is_open", "closed"), [(True, False), (False, True)])
def test_a_feed_without_a_tick_is_a_problem(is_open: bool, closed: bool) -> None:
    feed = HandFeed()
    watch = a_watch(feed, ["*"], hours=ALWAYS_OPEN if is_open else TradingDay(0, 1, 2, 3))
    play(watch, 3)

    (problem,) = watch.report().problems

    assert "no tick was received" in problem
    assert ("subscribed for no second of the exchange's hours" in problem) == closed


def test_a_venue_that_never_holds_a_connection_is_not_called_a_closed_exchange() -> None:
    feed = HandFeed()
    feed.health = FeedHealth(subscribed=True, up=False, outages=4, last_failure="closed: 1001")
    feed.down_from_ns = START_NS
    watch = a_watch(feed, ["A"])
    play(watch, 3)

    down, silent = watch.report().problems

    assert "down for 3 s" in down
    assert "no tick was received, subscribed for no second of the exchange's hours" in silent
    assert "closed" not in silent


def test_data_that_are_still_old_at_the_end_of_a_live_run_are_a_problem_and_those_before_a_warning() -> None:
    feed = HandFeed()
    watch = a_watch(feed, ["*"])
    received(feed)
    watch.mark(START_NS, 0, FeedAges(0, 12 * NS))
    during = watch.report()
    watch.mark(START_NS + NS, 0, FRESH)
    after = watch.report()

    assert ["still too old" in problem for problem in during.problems] == [True]
    assert after.problems == []
    assert len(during.warnings) == len(after.warnings) == 1


def test_what_healed_is_a_warning() -> None:
    feed = HandFeed()
    feed.health = FeedHealth(
        subscribed=True,
        up=True,
        failures=2,
        outages=3,
        down_ns=7 * NS,
        last_outage="closed",
        slow_clients=1,
        mutes=1,
        encoding="JSON in text frames",
        unknown={"zz": 3, "y": 12},
    )
    watch = a_watch(feed, ["*"])
    received(feed)

    report = watch.report()

    assert report.problems == []
    assert [line.removeprefix("venue: ") for line in report.warnings] == [
        "without a subscription 3 times, 7.0 s in all, 2 failed attempts; the last time: closed",
        "the venue closed 1 connection because the desk read too slowly (407)",
        "1 connection delivered nothing for a long time and had to be reopened",
        "the venue sent JSON in text frames instead of the requested encoding; the desk switched to it",
        "messages of unknown kinds were ignored: 'y' 12, 'zz' 3",
    ]


def test_a_feed_that_is_mute_time_after_time_is_a_problem() -> None:
    feed = HandFeed()
    feed.health.mutes = feed.health.mutes_in_a_row = 2
    watch = a_watch(feed, ["*"])
    received(feed)

    (problem,) = watch.report().problems

    assert "the last 2 connections delivered nothing" in problem


def test_what_the_feed_says_and_rejects_is_noted_at_once_and_once() -> None:
    feed = HandFeed()
    watch = a_watch(feed, ["*"])
    feed.notes = [Note("venue: down", "warning")]
    feed.counts.reject("trades", "price", "venue: frame 3")

    first = watch.take(Frame([], START_NS))
    second = watch.take(Frame([], START_NS))

    assert [note.text for note in first] == ["venue: down", "rejected venue: frame 3: price"]
    assert second == []


@pytest.mark.parametrize("delay_s", [0, 900])
def test_trades_that_are_stamped_ahead_by_an_hour_are_counted(delay_s: int) -> None:
    feed = HandFeed()
    watch = a_watch(feed, ["*"], delay_ns=delay_s * NS)
    base_ns = START_NS - delay_s * NS
    quote = Quote(1, "A", base_ns + 2 * HOUR_NS, 0, 1.0, 1.0, 2.0, 1.0)
    ticks: list[Tick] = [trade(base_ns), trade(base_ns + HOUR_NS), trade(base_ns + HOUR_NS + 1), quote]
    fastest_ns = START_NS - max(tick.ts_ns for tick in ticks)

    watch.take(Frame(ticks, START_NS, fastest_ns=fastest_ns))

    assert watch.report().ahead == 1


def test_a_successor_knows_what_its_predecessor_saw() -> None:
    feed = HandFeed()
    symbols = ["A", "B", "C"]
    watch = a_watch(feed, symbols)
    watch.met(["A"])
    received(feed)
    feed.counts.reject("trades", "price", "venue: frame 3")
    feed.health.outages, feed.health.last_outage = 1, "closed"
    watch.take(Frame([trade(START_NS)], START_NS, fastest_ns=-2 * HOUR_NS))
    watch.mark(START_NS + NS, 0, FeedAges(0, 12 * NS))

    heir_feed = HandFeed()
    heir_feed.counts.restore(feed.counts.position(0))
    heir_feed.health = feed.health
    heir = a_watch(heir_feed, symbols, watch.state())
    heir.mark(START_NS + 2 * NS, 0, FRESH)
    watch.mark(START_NS + 2 * NS, 0, FRESH)

    assert heir.report() == watch.report()
    assert heir.take(Frame([], START_NS)) == []
    assert "B, C" in heir.report().warnings[1]


def test_a_recorded_feed_is_always_up_and_judged_by_its_times_alone() -> None:
    feed = HandFeed()
    found: Any = feed
    watch = FeedWatch(FeedWatchConfig("tape"), 10 * NS, found, None, Subscriptions("A"))
    for second in range(4):
        watch.take(Frame([], START_NS, fastest_ns=5 * HOUR_NS))
        watch.mark(START_NS + second * NS, 0, FeedAges(5 * HOUR_NS))

    report = watch.report()

    assert (report.live, report.up) == (False, True)
    assert ["5 h: local time taken for UTC?" in problem for problem in report.problems] == [True]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(report), type=type(report)) == report


def counts(received: int, **rejected: int) -> ClassCounts:
    return ClassCounts(received=received, rejected=rejected)


@pytest.mark.parametrize(
    ("trades", "ahead", "words"),
    [
        (counts(30, late=30), 0, ["all trades arrived later"]),
        (counts(30, late=16), 0, ["16 of 30 trades arrived later"]),
        (counts(30, late=15), 0, []),
        (counts(30, time=16), 0, ["16 of 30 trades have an invalid time"]),
        (counts(30), 16, ["16 of 30 trades are stamped an hour or more ahead"]),
        (counts(30), 15, []),
        (counts(0), 0, []),
        (counts(3, price=3), 0, []),
    ],
)
def test_times_that_are_wrong_for_more_than_half_of_the_trades_are_a_problem(
    trades: ClassCounts, ahead: int, words: list[str]
) -> None:
    lines = implausible_times({"trades": trades, "quotes": counts(9, late=1)}, ahead)

    assert [any(line.startswith(word) for line in lines) for word in words] == [True] * len(words)
    assert len(lines) == len(words)


def test_a_stale_symbol_is_a_gap_an_alert_a_problem_and_subscribed_anew_also_after_a_restart() -> None:
    feed = HandFeed()
    watch = a_watch(feed, ["A", "B"])
    received(feed)
    feed.activity.traded = {"A", "B"}
    play(watch, 60)
    feed.activity.traded = {"A"}
    play(watch, 60, first=61)
    feed.activity.bars = [VenueBar(1, "B", START_NS + MINUTE_NS, 0, 1.0, 1.0, 1.0, 1.0, 5.0, 1)]
    play(watch, 1, first=121)

    successor = a_watch(feed, ["A", "B"], watch.state())

    assert watch.stale == successor.stale == {"B": START_NS + MINUTE_NS}
    assert feed.resubscribed == ["B"]
    assert watch.alerts() == ["stale, data missing: B"]
    assert watch.report().problems == ["venue: 1 symbol stale when the run ended: B for 61 s"]


def test_a_plan_without_trades_has_no_stale_symbols() -> None:
    feed = HandFeed()
    watch = a_watch(feed, ["A"], has_trades=False)
    play(watch, 60)
    feed.activity.bars = [VenueBar(1, "A", START_NS + MINUTE_NS, 0, 1.0, 1.0, 1.0, 1.0, 5.0, 1)]

    play(watch, 61, first=61)

    assert watch.stale == {}


def test_an_error_that_ended_the_feed_is_the_first_problem_and_has_its_exit_status() -> None:
    feed = HandFeed()
    watch = a_watch(feed, ["A"])
    received(feed)
    feed.health.up, feed.health.is_failed = False, True
    feed.fault = CredentialsError("venue", "the venue says 402 no")

    report = watch.report()

    assert (report.problems, report.fault_status) == (["venue: the venue says 402 no"], 3)
    assert watch.alerts() == ["the feed has ended: the venue says 402 no"]


def test_channels_that_the_venue_refuses_are_a_problem_if_the_plan_names_them_else_a_warning() -> None:
    feed = HandFeed()
    watch = a_watch(feed, ["A"])
    received(feed)
    watch.met(["A"])
    feed.health.dropped, feed.health.dropped_helpers = {"lulds": "410"}, {"bars": "410"}

    report = watch.report()

    assert report.problems == ["venue: the channel lulds was left out: 410"]
    assert report.warnings == ["venue: the channel bars, which the plan does not name, was left out: 410"]
