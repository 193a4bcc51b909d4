"""Sessions from plan and market data: exchange day, bounds, symbols, and refusals."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from day_tapes import TapeRow, a_tape, block_of, ns, row
from hypothesis import given
from hypothesis import strategies as st

from desk.config import Plan
from desk.feeds.frames import frames_of
from desk.model.block_checks import row_classes
from desk.model.blocks import Block
from desk.model.errors import DeskError, PlanError, TapeError
from desk.model.session import Session
from desk.model.ticks import CLASSES
from desk.model.units import MS_NS, SECOND_NS
from desk.process.clock import SystemClock
from desk.tape.reader import TapeSource
from desk.tape.row_counts import MinuteCounts
from desk.wiring.broker_factory import require_ledger
from desk.wiring.markets import market_feed, market_source, session_source
from desk.wiring.plan_session import derive_session

PRESSURE = "strategies.examples.pressure:Pressure"
EVENING, OPEN, NEXT = row("2024-03-05 00:30"), row("2024-03-05 14:30"), row("2024-03-06 14:30")
"""After hours of Monday, New York's open on Tuesday, and on Wednesday."""


class At:
    """Wall time that stands still."""

    def __init__(self, text: str) -> None:
        self.now_ns = ns(text) + 5 * MS_NS

    def wall_ns(self) -> int:
        return self.now_ns

    def wait(self, until_ns: int, descriptors: Sequence[int] = ()) -> None:
        raise AssertionError(until_ns)


def a_plan(session: dict[str, Any] | None = None, **tables: Any) -> Plan:
    return Plan.model_validate({"session": {"name": "day"} | (session or {}), **tables})


def opened(
    tape: Path, session: dict[str, Any] | None = None, feed: dict[str, Any] | None = None, **more: Any
) -> Session:
    plan = a_plan(session, feed={"kind": "tape", "path": str(tape)} | (feed or {}), **more)
    return derive_session(plan, market_source(plan), SystemClock())


def live(now: str, **session: Any) -> Session:
    plan = a_plan({"mode": "paper"} | session, feed={"kind": "alpaca", "symbols": ["AAA"]})
    return derive_session(plan, None, At(now))


def test_the_day_is_the_one_with_rows_in_regular_hours(tmp_path: Path) -> None:
    tape = a_tape(tmp_path / "utc.parquet", EVENING, row("2024-03-05 13:00"), OPEN, row("2024-03-05 23:59"))

    session = opened(tape)

    assert (session.day, session.id) == ("2024-03-05", "day-20240305")
    assert (session.start_ns, session.end_ns) == (ns("2024-03-05 13:00"), ns("2024-03-05 23:59:01"))
    assert session.outside == {"trades": 1, "quotes": 0, "notices": 0}
    assert (session.hours.open_ns, session.hours.close_ns) == (ns("2024-03-05 14:30"), ns("2024-03-05 21:00"))


def test_without_regular_hours_it_is_the_only_day_with_extended_ones(tmp_path: Path) -> None:
    assert opened(a_tape(tmp_path / "a.parquet", EVENING)).day == "2024-03-04"


def test_several_days_are_refused_by_name_until_one_is_picked(tmp_path: Path) -> None:
    a_tape(tmp_path / "2024-03-05.parquet", EVENING, OPEN)
    a_tape(tmp_path / "2024-03-06.parquet", NEXT)

    with pytest.raises(TapeError, match=r"2 exchange days .XNYS.: 2024-03-05, 2024-03-06") as told:
        opened(tmp_path)

    assert "--date 2024-03-05" in told.value.remedy
    assert opened(tmp_path, {"date": "2024-03-06"}).outside == {"trades": 2, "quotes": 0, "notices": 0}
    assert opened(tmp_path, {"date": "2024-03-04"}).end_ns == ns("2024-03-05 00:30:01")
    with pytest.raises(TapeError, match="extended hours of 2 exchange days"):
        opened(a_tape(tmp_path / "x.parquet", EVENING, row("2024-03-05 12:00")))


@pytest.mark.parametrize(
    ("date", "words"), [("2024-03-07", "has no rows"), ("2024-03-09", "XNYS is closed"), ("2004-03-05", "has no rows")]
)
def test_a_picked_day_without_rows_is_refused_with_those_that_there_are(tmp_path: Path, date: str, words: str) -> None:
    with pytest.raises(PlanError, match=words) as told:
        opened(a_tape(tmp_path / "a.parquet", OPEN, NEXT), {"date": date})

    assert told.value.place == "[session] date"
    assert "2024-03-05, 2024-03-06" in told.value.expected


@pytest.mark.parametrize("at", ["2024-03-09 15:00", "2024-03-29 15:00", "2024-03-05 08:00", "2024-11-29 22:00"])
def test_rows_of_no_exchange_day_are_refused_with_a_remedy_that_helps(tmp_path: Path, at: str) -> None:
    tape = a_tape(tmp_path / "a.parquet", row(at))

    with pytest.raises(TapeError, match="when XNYS is closed") as told:
        opened(tape)

    assert '"24/7"' in told.value.remedy
    assert opened(tape, {"calendar": "24/7"}).day == at[:10]


@pytest.mark.parametrize("year", ["1991", "2004", "2030", "2099"])
def test_days_beyond_the_bounds_of_the_library_are_played(tmp_path: Path, year: str) -> None:
    tape = a_tape(tmp_path / "a.parquet", row(f"{year}-06-09 15:00"), row(f"{year}-06-10 15:00"))

    assert opened(tape, {"date": opened(tape, {"calendar": "24/7", "date": f"{year}-06-10"}).day}).day[:4] == year


def test_the_same_tape_is_another_day_by_another_calendar(tmp_path: Path) -> None:
    tape = a_tape(tmp_path / "a.parquet", row("2024-03-05 00:30"))

    assert opened(tape, {"calendar": "XTKS"}).day == "2024-03-05"
    assert opened(tape, {"calendar": "XNYS"}).day == "2024-03-04"
    assert opened(tape, {"calendar": "24/7"}).day == "2024-03-05"


def test_start_and_stop_are_times_of_that_day_held_within_it(tmp_path: Path) -> None:
    tape = a_tape(tmp_path / "a.parquet", EVENING, OPEN, row("2024-03-05 23:00"), NEXT)

    inside = opened(tape, {"date": "2024-03-05", "start": "09:00", "stop": "16:00"})
    beyond = opened(tape, {"date": "2024-03-05", "start": "03:00", "stop": "23:00"})

    assert (inside.start_ns, inside.end_ns) == (ns("2024-03-05 14:00"), ns("2024-03-05 21:00"))
    assert (beyond.start_ns, beyond.end_ns) == (ns("2024-03-05 09:00"), ns("2024-03-05 23:00:01"))
    assert (inside.history, beyond.history) == (False, False)
    assert opened(tape, {"date": "2024-03-05", "start": "09:31"}).history


@pytest.mark.parametrize(
    ("session", "place"),
    [
        ({"start": "20:00"}, "[session] start"),
        ({"stop": "04:00"}, "[session] stop"),
        ({"start": "10:00"}, "[session] start, stop"),
        ({"stop": "09:30"}, "[session] start, stop"),
    ],
)
def test_bounds_in_which_nothing_can_happen_are_refused(tmp_path: Path, session: dict[str, str], place: str) -> None:
    with pytest.raises(PlanError) as told:
        opened(a_tape(tmp_path / "a.parquet", OPEN), session)

    assert told.value.place == place


def test_an_evening_that_belongs_to_the_next_day_starts_it(tmp_path: Path) -> None:
    tape = a_tape(tmp_path / "a.parquet", row("2024-03-05 00:30"), row("2024-03-05 20:00"))

    session = opened(tape, {"calendar": "CMES", "start": "18:00"})

    assert (session.day, session.start_ns) == ("2024-03-05", ns("2024-03-05 00:00"))


def test_a_feed_has_trades_where_they_are_requested_and_there_are_any(tmp_path: Path) -> None:
    quotes = a_tape(tmp_path / "quotes.parquet", OPEN._replace(kind="quote"), NEXT)
    both = a_tape(tmp_path / "both.parquet", OPEN, OPEN._replace(kind="quote"))

    assert opened(both).has_trades
    assert not opened(both, feed={"channels": ["quotes"]}).has_trades
    assert not opened(quotes, {"date": "2024-03-05"}).has_trades
    assert not live("2024-03-05 15:00").waits
    assert live("2024-03-05 15:00").has_trades


@pytest.mark.parametrize(("price", "size"), [(1.0, 0.0), (0.0, 1.0), (float("nan"), 1.0), (1.0, float("inf"))])
def test_rows_that_are_rejected_do_not_make_a_tape_one_with_trades(tmp_path: Path, price: float, size: float) -> None:
    quote = OPEN._replace(kind="quote")

    assert not opened(a_tape(tmp_path / "a.parquet", OPEN._replace(price=price, size=size), quote)).has_trades


def test_all_symbols_are_those_with_a_row_before_the_start_until_others_are_met(tmp_path: Path) -> None:
    early = [
        row("2024-03-05 14:00", "EEE"),
        row("2024-03-05 14:01", "QQQ", "quote"),
        row("2024-03-05 14:02", "BAD", price=0),
    ]
    tape = a_tape(tmp_path / "a.parquet", EVENING._replace(symbol="OLD"), *early, OPEN)

    assert opened(tape, {"start": "09:30"}).always == ("*", "EEE", "QQQ")
    assert opened(tape).always == ("*",)
    assert opened(tape, feed={"symbols": ["AAA"]}).always == ("AAA",)


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"feed": {"symbols": ["AAA", "SPX"]}}, "[feed] symbols"),
        ({"strategies": [{"name": "p", "use": PRESSURE, "symbols": ["SPX"]}]}, "[[strategies]] p symbols"),
    ],
)
def test_a_symbol_that_the_day_does_not_have_is_refused_where_it_stands(
    tmp_path: Path, more: dict[str, Any], place: str
) -> None:
    a_tape(tmp_path / "2024-03-05.parquet", OPEN)
    a_tape(tmp_path / "2024-03-06.parquet", NEXT._replace(symbol="SPX"))

    with pytest.raises(PlanError, match="SPX") as told:
        opened(tmp_path, {"date": "2024-03-05"}, **more)

    assert told.value.place == place


@pytest.mark.parametrize(
    ("synthetic", "words"),
    [
        ({"date": "2026-01-01"}, "XNYS is closed"),
        ({"date": "2026-01-04"}, "XNYS is closed"),
        ({"date": "2026-11-27", "minutes": 211}, "more than the 210 minutes"),
    ],
)
def test_a_made_up_market_is_open_when_its_exchange_is(synthetic: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        market_source(a_plan(feed={"synthetic": synthetic}))


def test_a_made_up_market_begins_with_the_regular_hours_of_its_exchange() -> None:
    plan = a_plan({"calendar": "XLON"}, feed={"synthetic": {"date": "2026-03-10", "minutes": 10, "symbols": 3}})

    session = derive_session(plan, market_source(plan), SystemClock())

    assert (session.start_ns, session.end_ns) == (ns("2026-03-10 08:00"), ns("2026-03-10 08:10"))
    assert session.has_trades


@pytest.mark.parametrize(
    ("now", "session", "start", "end"),
    [
        # at once, to the end of the exchange day: early on a short one
        ("2024-03-05 15:00:30", {}, "2024-03-05 15:00:30", "2024-03-06 01:00"),
        ("2024-11-29 15:00", {}, "2024-11-29 15:00", "2024-11-29 22:00"),
        ("2024-03-05 15:00", {"calendar": "24/7"}, "2024-03-05 15:00", "2024-03-06 00:00"),
        # at `start`, where that is ahead, to `stop`
        ("2024-03-05 13:00", {"start": "09:30", "stop": "16:00"}, "2024-03-05 14:30", "2024-03-05 21:00"),
        ("2024-03-05 15:00", {"start": "09:30", "stop": "23:00"}, "2024-03-05 15:00", "2024-03-06 01:00"),
        # closed: the next day's start, or its `start`
        ("2024-03-06 01:00", {}, "2024-03-06 09:00", "2024-03-07 01:00"),
        ("2024-03-05 08:59:59", {}, "2024-03-05 09:00", "2024-03-06 01:00"),
        ("2024-03-09 15:00", {"start": "09:30", "stop": "16:00"}, "2024-03-11 13:30", "2024-03-11 20:00"),
        ("2024-03-29 15:00", {}, "2024-04-01 08:00", "2024-04-02 00:00"),
    ],
)
def test_a_live_session_lasts_from_its_start_to_the_end_of_an_exchange_day(
    now: str, session: dict[str, str], start: str, end: str
) -> None:
    found = live(now, **session)

    assert (found.start_ns, found.stop_ns, found.end_ns) == (ns(start), ns(end), ns(end))
    assert bool(found.waits) == (ns(start) > ns(now))
    assert found.day == found.id[4:8] + "-" + found.id[8:10] + "-" + found.id[10:12]


def test_a_live_session_says_what_it_waits_for() -> None:
    assert live("2024-03-09 15:00").waits == (
        "XNYS is closed; waiting for its next day: the session starts at Mon 2024-03-11 04:00:00 (America/New_York)"
    )
    assert live("2024-03-05 13:00", start="09:30").waits.startswith("waiting for [session] start")


@pytest.mark.parametrize(
    ("now", "session", "place"),
    [
        ("2024-03-05 21:30", {"stop": "16:00"}, "[session] stop"),
        ("2024-11-29 15:00", {"start": "18:00"}, "[session] start"),
        ("2024-03-09 15:00", {"stop": "03:00"}, "[session] stop"),
    ],
)
def test_live_bounds_that_cannot_be_kept_are_refused(now: str, session: dict[str, str], place: str) -> None:
    with pytest.raises(PlanError) as told:
        live(now, **session)

    assert told.value.place == place


# Counting

TIMES = st.integers(0, 3 * 24 * 60).map(lambda minute: ns("2024-03-04 12:00") + minute * 60 * SECOND_NS + 7 * MS_NS)
ROWS = st.lists(
    st.builds(
        TapeRow,
        TIMES,
        st.sampled_from(["AAA", "BBB", "CCC"]),
        st.sampled_from(["trade", "quote", "other"]),
        st.sampled_from([0.0, 10.0]),
    ),
    min_size=1,
    max_size=40,
)


class Recording:
    """Rows in memory, as a recording has them."""

    place = "rows"

    def __init__(self, rows: list[TapeRow]) -> None:
        self._block = block_of(sorted(rows, key=lambda row: row.recv_ns))
        self.symbols = self._block.symbols
        self.tally = MinuteCounts.of(self._block.recv_ns, row_classes(self._block), self._block.kind == 0)
        self.start_ns, self.end_ns = self.tally.start_ns, self.tally.end_ns

    def blocks(self, from_ns: int | None = None, until_ns: int | None = None) -> list[Block]:
        return [self._block.part(first, first + 7) for first in range(0, len(self._block), 7)]

    def symbols_between(self, from_ns: int, until_ns: int) -> tuple[str, ...]:
        return self.symbols


@given(
    ROWS,
    st.sampled_from([("trades",), ("quotes",), ("trades", "quotes")]),
    st.sampled_from([["*"], ["AAA"], []]),
    st.sampled_from(["", "04:00", "09:30", "12:00"]),
    st.sampled_from(["", "16:00", "20:00"]),
    st.sampled_from(["XNYS", "24/7", "CMES"]),
)
def test_every_row_of_a_tape_is_received_or_skipped_whatever_is_requested(
    rows: list[TapeRow], channels: tuple[str, ...], symbols: list[str], start: str, stop: str, calendar: str
) -> None:
    source = Recording(rows)
    feed = {"kind": "tape", "path": "rows", "channels": channels, "symbols": symbols}
    plan = a_plan({"date": "2024-03-05", "start": start, "stop": stop, "calendar": calendar}, feed=feed)

    try:
        session = derive_session(plan, source, SystemClock())
    except DeskError:
        return
    played = market_feed(plan, session, session_source(source, session), SystemClock())
    played.subscribe(session.always)
    ticks = [tick for frame in frames_of(played, played._clock) for tick in frame.ticks]

    counted = {
        kind: played.counts.received[kind] + played.counts.skipped[kind] + session.outside[kind] for kind in CLASSES
    }
    assert counted == source.tally.counts()
    assert all(session.hours.start_ns <= source._block.recv_ns[tick.ordinal] < session.hours.end_ns for tick in ticks)


# Units


@pytest.mark.parametrize(("divisor", "unit"), [(10**3, "microseconds"), (10**6, "milliseconds"), (10**9, "seconds")])
def test_a_tape_in_another_unit_is_refused_before_anything_else(tmp_path: Path, divisor: int, unit: str) -> None:
    tape = a_tape(tmp_path / "a.parquet", OPEN._replace(recv_ns=OPEN.recv_ns // divisor))

    with pytest.raises(TapeError, match=f"looks like {unit}: 2024-03-05T14:30:00") as told:
        opened(tape)

    assert f"{divisor:,}" in told.value.remedy
    assert TapeSource(tape).rows == 1


def test_a_ledger_that_cannot_be_opened_is_a_fault_of_the_plan(tmp_path: Path) -> None:
    plan = a_plan(ledger={"url": "sqlite:///{run_dir}/none/ledger.db"})

    with pytest.raises(PlanError, match="unable to open") as told:
        require_ledger(plan, tmp_path)

    assert told.value.place.startswith("[ledger] url")
