"""Selects the exchange day of a recording to replay.

Tests: tests/desk/wiring/test_plan_session.py
"""

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from desk.model.errors import PlanError, TapeError
from desk.tape.recorded_day import RecordedSource
from desk.tape.row_counts import MinuteCounts
from desk.wiring.exchange_days import ALWAYS_OPEN, ExchangeDay, ExchangeDays

SHOWN: Final = 10


class TapeDay(NamedTuple):
    """An exchange day, and the recording's rows of this day."""

    day: ExchangeDay
    rows: MinuteCounts


def tape_day(source: RecordedSource, days: ExchangeDays, wanted: date | None) -> TapeDay:
    """The day `wanted`, or else the only day with rows in regular hours, or else the only day with rows.

    Raises PlanError if the recording does not have the wanted day, and TapeError if it has no day or several.
    """
    found = tape_days(source, days)
    if wanted is not None:
        return _find_day(source, days, wanted, found)
    if not found:
        raise _no_day(source, days)
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
    """All exchange days with rows in the recording, in order."""
    found = []
    rows = source.tally
    while len(rows):
        day = days.current_or_next(rows.start_ns)
        part = rows.between(day.hours.start_ns, day.hours.end_ns)
        if len(part):
            found.append(TapeDay(day, part))
        rows = rows.between(day.hours.end_ns, source.end_ns)
    return found


def _find_day(source: RecordedSource, days: ExchangeDays, wanted: date, found: Sequence[TapeDay]) -> TapeDay:
    for each in found:
        if each.day.date == wanted:
            return each
    if days.hours(wanted) is None:
        fault = f"`{wanted}`, when {days.calendar} is closed"
    else:
        fault = f"`{wanted}`, for which {source.place} has no rows"
    expected = f"one of the days with rows: {_listed(found)}" if found else "a tape with rows of an exchange day"
    raise PlanError("[session] date", fault, expected, "Name one of them, or another tape.")


def _no_day(source: RecordedSource, days: ExchangeDays) -> TapeError:
    first, last = days.local(source.start_ns), days.local(source.end_ns - 1)
    return TapeError(
        source.place,
        f"rows from {first:%a %Y-%m-%d %H:%M:%S} to {last:%a %Y-%m-%d %H:%M:%S} ({days.zone}), "
        f"when {days.calendar} is closed",
        "rows of an exchange day, in regular or extended hours",
        f'Set [session] calendar to the exchange of this data, or to "{ALWAYS_OPEN}" for a market that never closes.',
    )


def _listed(found: Sequence[TapeDay]) -> str:
    names = [each.day.date.isoformat() for each in found]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
