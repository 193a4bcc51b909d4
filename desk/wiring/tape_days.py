"""Which exchange day of a recording is played.

Tests: tests/desk/wiring/test_plan_session.py
"""

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from desk.model.errors import PlanError, TapeError
from desk.tape.recorded_day import RecordedSource
from desk.tape.row_counts import MinuteCounts
from desk.wiring.exchange_days import ALWAYS, ExchangeDay, ExchangeDays

SHOWN: Final = 10


class TapeDay(NamedTuple):
    """An exchange day, and the rows that a recording has of it."""

    day: ExchangeDay
    rows: MinuteCounts


def tape_day(source: RecordedSource, days: ExchangeDays, wanted: date | None) -> TapeDay:
    """The day that is wanted, else the one with rows in regular hours, else the only one with rows at all.

    Raises PlanError for a wanted day that is not there, and TapeError where the recording leaves no day, or a choice.
    """
    found = tape_days(source, days)
    if wanted is not None:
        return _wanted(source, days, wanted, found)
    if not found:
        raise _closed(source, days)
    regular = [each for each in found if len(each.rows.between(each.day.hours.open_ns, each.day.hours.close_ns))]
    chosen = regular or found
    if len(chosen) > 1:
        hours = "regular" if regular else "extended"
        raise TapeError(
            source.place,
            f"rows in the {hours} hours of {len(chosen)} exchange days ({days.calendar}): {_listed(chosen)}",
            "one day: a session is one exchange day",
            f'Name the day: date = "{chosen[0].day.date}" under [session], or --date {chosen[0].day.date}.',
        )
    return chosen[0]


def tape_days(source: RecordedSource, days: ExchangeDays) -> list[TapeDay]:
    """All exchange days of which the recording has rows, in order."""
    found = []
    rows = source.tally
    while len(rows):
        day = days.following(rows.start_ns)
        part = rows.between(day.hours.start_ns, day.hours.end_ns)
        if len(part):
            found.append(TapeDay(day, part))
        rows = rows.between(day.hours.end_ns, source.end_ns)
    return found


def _wanted(source: RecordedSource, days: ExchangeDays, wanted: date, found: Sequence[TapeDay]) -> TapeDay:
    for each in found:
        if each.day.date == wanted:
            return each
    if days.hours(wanted) is None:
        what = f"`{wanted}`, on which {days.calendar} is closed"
    else:
        what = f"`{wanted}`, of which {source.place} has no rows"
    there = f"one of the days that have rows: {_listed(found)}" if found else "a day that has rows; no day has any"
    raise PlanError("[session] date", what, there, "Name one of them, or play another tape.")


def _closed(source: RecordedSource, days: ExchangeDays) -> TapeError:
    first, last = days.local(source.start_ns), days.local(source.end_ns - 1)
    return TapeError(
        source.place,
        f"rows from {first:%a %Y-%m-%d %H:%M:%S} to {last:%a %Y-%m-%d %H:%M:%S} ({days.zone}), "
        f"when {days.calendar} is closed",
        "rows of an exchange day, in regular or extended hours",
        f'Set [session] calendar to the exchange of these data, or to "{ALWAYS}" for a market that never closes.',
    )


def _listed(found: Sequence[TapeDay]) -> str:
    names = [each.day.date.isoformat() for each in found]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
