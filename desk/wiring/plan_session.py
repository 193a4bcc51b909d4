"""Derives the session from the plan and its market data: one exchange day, or a part of it."""

import asyncio
from datetime import time, timedelta
from typing import Final

import msgspec

from desk.config import Plan
from desk.feeds.live.session_clock import VenueSession, clock_url
from desk.model.block_checks import rejection_causes
from desk.model.blocks import BlockSource
from desk.model.errors import PlanError
from desk.model.session import Session
from desk.model.units import SECOND_NS, ceil_to, floor_to
from desk.ports import Clock
from desk.tape.recorded_day import RecordedSource
from desk.wiring.exchange_days import ExchangeDay, ExchangeDays, exchange_ns
from desk.wiring.markets import session_source
from desk.wiring.tape_days import tape_day

ALL: Final = "*"
ONE_DAY: Final = timedelta(1)


def derive_session(plan: Plan, source: BlockSource | None, clock: Clock) -> Session:
    """Derive the session of a plan and its market data. Raises PlanError, TapeError."""
    return _live_session(plan, clock) if source is None else _replay_session(plan, source)


def _live_session(plan: Plan, clock: Clock) -> Session:
    """A session that starts now, at `start`, or at the start of the next exchange day."""
    days = ExchangeDays(plan.session.calendar)
    now_ns = _venue_now_ns(plan, clock) if plan.session.clock == "venue" else clock.wall_ns()
    day = days.current_or_next(now_ns)
    start_ns, stop_ns = session_bounds(plan, days, day)
    start_ns = floor_to(now_ns, SECOND_NS) if start_ns is None else max(start_ns, floor_to(now_ns, SECOND_NS))
    start_ns = max(start_ns, day.hours.start_ns)
    if stop_ns is not None and stop_ns <= start_ns:
        raise PlanError(
            "[session] stop",
            f'`"{plan.session.stop}"`, which is in the past: it is {days.local(now_ns):%H:%M:%S} ({days.zone})',
            "a time of day in the future",
            "Move `stop`, or leave it empty.",
        )
    end_ns = day.hours.end_ns if stop_ns is None else stop_ns
    return Session(
        id=f"{plan.session.name}-{days.local(start_ns):%Y%m%d-%H%M%S}",
        day=day.date.isoformat(),
        timezone=str(days.zone),
        start_ns=start_ns,
        stop_ns=end_ns,
        end_ns=end_ns,
        market=(),
        always=plan.feed.symbols,
        history=False,
        lockstep=False,
        live=plan.session.clock == "real",
        hours=day.hours,
        has_trades=plan.feed.has_trades,
        waits=_reason_to_wait(days, day, now_ns, start_ns),
    )


def _reason_to_wait(days: ExchangeDays, day: ExchangeDay, now_ns: int, start_ns: int) -> str:
    """Why a live session does not start immediately; "" if it does."""
    if start_ns <= now_ns:
        return ""
    starts = f"the session starts at {days.local(start_ns):%a %Y-%m-%d %H:%M:%S} ({days.zone})"
    if now_ns < day.hours.start_ns:
        return f"{days.calendar} is closed; waiting for its next day: {starts}"
    return f"waiting for [session] start: {starts}"


def _venue_now_ns(plan: Plan, clock: Clock) -> int:
    venue = VenueSession(clock_url(plan.feed.url), clock)
    asyncio.run(venue.ask())
    return venue.session_ns(clock.wall_ns())


def _replay_session(plan: Plan, source: BlockSource) -> Session:
    days = ExchangeDays(plan.session.calendar)
    first_ns, ends_ns, outside, has_trades = source.start_ns, source.end_ns, {}, True
    if isinstance(source, RecordedSource):
        day, rows = tape_day(source, days, plan.session.day)
        first_ns, ends_ns, has_trades = rows.start_ns, rows.end_ns, bool(rows.prints.any())
        inside = rows.counts()
        outside = {kind: count - inside[kind] for kind, count in source.tally.counts().items()}
    else:
        day = days.current_or_next(source.start_ns)
    start_ns, stop_ns = session_bounds(plan, days, day)
    if start_ns is None:
        start_ns = floor_to(first_ns, SECOND_NS)
    if ends_ns <= start_ns or (stop_ns is not None and stop_ns <= first_ns):
        first, last = days.local(first_ns), days.local(ends_ns - 1)
        raise PlanError(
            "[session] start, stop",
            f'`"{plan.session.start}"` to `"{plan.session.stop}"`, when {source.place} has no rows of {day.date}',
            f"times between {first:%H:%M:%S} and {last:%H:%M:%S} ({days.zone})",
            "Move `start` and `stop`, or leave them empty.",
        )
    played = Session(
        id=f"{plan.session.name}-{day.date:%Y%m%d}",
        day=day.date.isoformat(),
        timezone=str(days.zone),
        start_ns=start_ns,
        stop_ns=stop_ns,
        end_ns=min(ceil_to(ends_ns, SECOND_NS), stop_ns or ceil_to(ends_ns, SECOND_NS)),
        market=(),
        always=plan.feed.symbols,
        history=start_ns > floor_to(first_ns, SECOND_NS),
        lockstep=plan.session.lockstep and plan.feed.speed == "max" and bool(plan.strategies),
        hours=day.hours,
        has_trades="trades" in plan.feed.channels and has_trades,
        outside=outside,
    )
    return _with_symbols(plan, session_source(source, played), played)


def session_bounds(plan: Plan, days: ExchangeDays, day: ExchangeDay) -> tuple[int | None, int | None]:
    """`start` and `stop` as times of this day, limited to its hours; None for an empty one.

    Raises PlanError if one of them excludes the whole day.
    """
    hours = day.hours
    start_ns = None if plan.session.start_time is None else _time_of_day_ns(plan.session.start_time, days, day)
    stop_ns = None if plan.session.stop_time is None else _time_of_day_ns(plan.session.stop_time, days, day)
    for key, is_outside in (
        ("start", start_ns and start_ns >= hours.end_ns),
        ("stop", stop_ns and stop_ns <= hours.start_ns),
    ):
        if is_outside:
            raise PlanError(
                f"[session] {key}",
                f'`"{getattr(plan.session, key)}"`, when {days.calendar} is closed on {day.date}',
                f"a time between {days.local(hours.start_ns):%H:%M} and {days.local(hours.end_ns):%H:%M} ({days.zone})",
                f"Move `{key}`, or leave it empty.",
            )
    return (
        None if start_ns is None else max(start_ns, hours.start_ns),
        None if stop_ns is None else min(stop_ns, hours.end_ns),
    )


def _time_of_day_ns(at: time, days: ExchangeDays, day: ExchangeDay) -> int:
    """A time of day on this exchange day, which may begin on the evening before its date."""
    time_ns = exchange_ns(day.date, at, days.zone)
    evening_before_ns = exchange_ns(day.date - ONE_DAY, at, days.zone)
    return evening_before_ns if time_ns >= day.hours.end_ns and evening_before_ns >= day.hours.start_ns else time_ns


def _with_symbols(plan: Plan, source: BlockSource, session: Session) -> Session:
    """The session with its symbols. If all are subscribed, symbols with rows before its start are subscribed at once.

    Raises PlanError for a symbol that the market data does not have.
    """
    _require_symbols(plan, source)
    always = plan.feed.symbols
    if ALL in always and session.history:
        always = (ALL, *_symbols_before(source, session.start_ns))
    return msgspec.structs.replace(session, market=tuple(source.symbols), always=always)


def _symbols_before(source: BlockSource, time_ns: int) -> list[str]:
    """The symbols with a valid row received before this time, sorted."""
    found: set[str] = set()
    for block in source.blocks():
        early = (block.recv_ns < time_ns) & (rejection_causes(block) == 0)
        found.update(block.symbols[number] for number in set(block.symbol[early].tolist()))
        if block.recv_ns[-1] >= time_ns:
            break
    return sorted(found)


def _require_symbols(plan: Plan, source: BlockSource) -> None:
    """Check that the market data has every symbol of the plan: a mistyped one would never get a tick."""
    named = {"[feed] symbols": plan.feed.symbols} | {
        f"[[strategies]] {entry.name} symbols": entry.symbols for entry in plan.strategies
    }
    known = {*source.symbols, ALL}
    for place, symbols in named.items():
        for symbol in symbols:
            if symbol not in known:
                raise PlanError(
                    place,
                    f'`"{symbol}"`, which {source.place} does not have',
                    f"symbols such as {', '.join(source.symbols[:5])}",
                    'Correct it, or subscribe to all with symbols = ["*"].',
                )
