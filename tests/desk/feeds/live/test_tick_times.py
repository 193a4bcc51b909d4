"""Unusual tick times: which are rejected, which are lag, and which are a clock that was set."""

import pytest

from desk.feeds.live.tick_times import AHEAD_NS, LEAST, RECENT, SocketRead, TickTimes
from desk.model.ticks import Tick, Trade
from desk.model.units import DAY_NS, SECOND_NS

NS = SECOND_NS
START_NS = 1_700_006_400 * NS
HOUR_NS = 3_600 * NS


class Reader:
    """Reads ticks of a venue whose clock is off by `offset_ns`, `per_second` reads of one tick each."""

    def __init__(self, offset_ns: int = 0, per_second: int = 5) -> None:
        self.times = TickTimes("venue", START_NS, START_NS + DAY_NS)
        self.now_ns = START_NS + DAY_NS // 2
        self.offset_ns = offset_ns
        self.per_second = per_second
        self.ages_ns: list[int] = []
        self.accepted = 0
        self.rejected = 0

    def read(self, *times_ns: int, lag_ns: int = 0) -> int | None:
        """One read, at `now_ns`: the lag of its frame."""
        stamps = times_ns or (self.now_ns - lag_ns - self.offset_ns,)
        ticks: list[Tick] = [Trade(n, "A", ts_ns, self.now_ns, 10.0, 1.0) for n, ts_ns in enumerate(stamps, 1)]
        read = SocketRead(self.now_ns, self.now_ns)
        sound = self.times.sound(ticks, read)
        self.accepted += len(sound)
        self.rejected += len(ticks) - len(sound)
        found = self.times.lag_ns(sound, read) if sound else self.times.doubt_ns(read)
        self.ages_ns.append(self.times.age_ns)
        return found

    def seconds(self, count: int, lag_ns: int = 0) -> "Reader":
        for _ in range(count * self.per_second):
            self.read(lag_ns=lag_ns)
            self.now_ns += NS // self.per_second
        return self

    @property
    def worst_ns(self) -> int:
        return max(self.ages_ns)


@pytest.mark.parametrize(
    ("offset_ns", "is_sound"),
    [
        (0, True),
        (AHEAD_NS, True),
        (AHEAD_NS + 1, False),
        (HOUR_NS, False),
        (2**62, False),
        (-HOUR_NS, True),
        (-DAY_NS // 2 - 5 * NS, True),
        (-DAY_NS // 2 - 5 * NS - 1, False),
        (-(2**60), False),
    ],
)
def test_a_time_is_within_the_exchange_day_and_at_most_10_s_ahead(offset_ns: int, is_sound: bool) -> None:
    reader = Reader().seconds(5)
    before = reader.accepted

    reader.read(reader.now_ns + offset_ns)

    assert reader.accepted - before == is_sound


def test_a_feed_that_is_delayed_by_design_brings_ticks_of_the_day_before_from_its_first_read_on() -> None:
    reader = Reader()
    reader.now_ns = START_NS + NS
    reader.times.delay_ns = 900 * NS

    reader.read(reader.now_ns - 900 * NS)
    reader.read(reader.now_ns - 902 * NS)

    assert (reader.accepted, reader.rejected) == (1, 1)


@pytest.mark.parametrize("ahead_ns", [HOUR_NS, AHEAD_NS - NS, 400 * DAY_NS])
@pytest.mark.parametrize("at_s", [0, 1, 5])
def test_one_future_tick_makes_nothing_look_old(ahead_ns: int, at_s: int) -> None:
    reader = Reader().seconds(at_s)
    reader.read(reader.now_ns + ahead_ns)
    before = len(reader.ages_ns)

    reader.seconds(70)

    assert max(reader.ages_ns[before + 2 :]) < 100_000_000
    assert reader.times.ahead_ns == 0
    assert reader.rejected == (ahead_ns > AHEAD_NS)


def test_a_fifth_of_the_ticks_from_the_future_makes_nothing_look_old() -> None:
    reader = Reader()
    for n in range(300):
        reader.read(reader.now_ns + (HOUR_NS if n % 5 == 0 else 0))
        reader.now_ns += NS // 5

    assert (reader.rejected, reader.worst_ns, reader.times.ahead_ns) == (60, 0, 0)


@pytest.mark.parametrize("offset_ns", [-9 * HOUR_NS, -60 * NS])
def test_a_venue_that_is_ahead_from_the_start_is_measured_and_taken(offset_ns: int) -> None:
    reader = Reader(offset_ns).seconds(10)

    assert reader.rejected <= (LEAST + 1) * reader.per_second
    assert reader.accepted >= 6 * reader.per_second
    assert reader.times.ahead_ns == -offset_ns
    assert reader.read(lag_ns=20 * NS) == 20 * NS


def test_a_venue_that_is_hours_behind_is_taken_as_it_is() -> None:
    reader = Reader(5 * HOUR_NS).seconds(5)

    assert (reader.rejected, reader.worst_ns) == (0, 0)
    assert reader.read() == 5 * HOUR_NS


@pytest.mark.parametrize("step_ns", [HOUR_NS, -HOUR_NS, 60 * NS, -60 * NS])
def test_a_clock_of_the_venue_that_is_set_is_no_lag(step_ns: int) -> None:
    reader = Reader().seconds(30)

    reader.offset_ns = -step_ns
    reader.seconds(10)

    assert reader.worst_ns == 0
    assert reader.rejected <= (LEAST + 1) * reader.per_second
    way = "forward" if step_ns > 0 else "back"
    assert [way in note.text for note in reader.times.take_notes()] == [True]


def test_a_clock_of_this_machine_that_is_set_is_no_lag() -> None:
    reader = Reader().seconds(30)

    reader.now_ns += HOUR_NS
    reader.offset_ns = HOUR_NS
    reader.times.shift(HOUR_NS)
    reader.seconds(70)

    assert (reader.worst_ns, reader.rejected, reader.times.take_notes()) == (0, 0, [])


def test_a_reader_that_falls_behind_sees_its_lag_at_once() -> None:
    reader = Reader().seconds(RECENT)

    for lag in range(1, 100):
        reader.now_ns += NS // 5
        reader.read(lag_ns=lag * NS // 10)

    assert reader.times.age_ns == 99 * NS // 10
    assert reader.times.take_notes() == []


def test_a_backlog_after_a_pause_is_lag() -> None:
    reader = Reader().seconds(20)

    reader.now_ns += 20 * NS
    reader.read(lag_ns=20 * NS)

    assert reader.times.age_ns == 20 * NS


def test_where_only_rejected_ticks_come_the_data_grow_old() -> None:
    reader = Reader().seconds(5)

    lags = []
    for n in range(20):
        reader.now_ns += NS
        lags.append(reader.read(reader.now_ns + (n % 7 + 1) * HOUR_NS))

    assert lags[-1] is not None
    assert 19 * NS <= lags[-1] <= 21 * NS


def test_where_session_time_only_the_venue_knows_ticks_may_be_ahead_of_it_within_the_day() -> None:
    times = TickTimes("venue", START_NS, START_NS + DAY_NS)
    stamps = [START_NS, START_NS + HOUR_NS, START_NS + DAY_NS, START_NS + 2 * DAY_NS]
    ticks: list[Tick] = [Trade(n, "A", ts_ns, START_NS, 10.0, 1.0) for n, ts_ns in enumerate(stamps)]

    sound = times.sound(ticks, SocketRead(START_NS, START_NS, 0.0))

    assert [tick.ts_ns for tick in sound] == stamps[:3]
