"""The session, worked out from the plan and its market data."""

import asyncio
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from desk.config import Plan
from desk.feeds.session_clock import VenueSession, clock_url
from desk.market.blocks import BlockSource
from desk.model.errors import PlanError, TapeError
from desk.model.units import DAY_NS, SECOND_NS, floor_to
from desk.pipeline.session import Session
from desk.ports import Clock
from desk.wiring.markets import exchange_ns, exchange_zone

LONGEST_DAYS: Final = 31
LONGEST_NS: Final = LONGEST_DAYS * DAY_NS


def open_session(plan: Plan, source: BlockSource | None, clock: Clock) -> Session:
    """What the plan and the market data make of the session. Raises PlanError where the two do not fit."""
    return _live(plan, clock) if source is None else _recorded(plan, source)


def _live(plan: Plan, clock: Clock) -> Session:
    """A session that begins now, on the clock that the plan names."""
    zone = exchange_zone(plan)
    now_ns = _venue_now_ns(plan, clock) if plan.session.clock == "venue" else clock.wall_ns()
    start_ns = floor_to(now_ns, SECOND_NS)
    began = datetime.fromtimestamp(start_ns / SECOND_NS, zone)
    stop_ns = None
    if plan.session.stop_time is not None:
        stop_ns = exchange_ns(began.date(), plan.session.stop_time, zone)
        if stop_ns <= start_ns:
            raise PlanError(
                "[session] stop",
                f'`"{plan.session.stop}"`, which is past: it is {began:%H:%M:%S} ({zone})',
                "a time of day to come",
                "Move `stop`, or leave it empty.",
            )
    return Session(
        id=f"{plan.session.name}-{began:%Y%m%d-%H%M%S}",
        day=began.date().isoformat(),
        timezone=str(zone),
        start_ns=start_ns,
        stop_ns=stop_ns,
        end_ns=stop_ns,
        market=(),
        always=plan.feed.symbols,
        history=False,
        lockstep=False,
        live=plan.session.clock == "real",
    )


def _venue_now_ns(plan: Plan, clock: Clock) -> int:
    venue = VenueSession(clock_url(plan.feed.url), clock)
    asyncio.run(venue.ask())
    return venue.session_ns(clock.wall_ns())


def _recorded(plan: Plan, source: BlockSource) -> Session:
    _require_span(source)
    zone = exchange_zone(plan)
    day = datetime.fromtimestamp(source.start_ns / SECOND_NS, zone).date()
    start_ns = floor_to(source.start_ns, SECOND_NS)
    if plan.session.start_time is not None:
        start_ns = max(start_ns, exchange_ns(day, plan.session.start_time, zone))
    stop_ns = None
    if plan.session.stop_time is not None:
        stop_ns = exchange_ns(day, plan.session.stop_time, zone)
    _require_rows(plan, source, start_ns, stop_ns, zone)
    _require_symbols(plan, source)
    ends = [-(-source.end_ns // SECOND_NS) * SECOND_NS] + ([stop_ns] if stop_ns is not None else [])
    return Session(
        id=f"{plan.session.name}-{day:%Y%m%d}",
        day=day.isoformat(),
        timezone=str(zone),
        start_ns=start_ns,
        stop_ns=stop_ns,
        end_ns=min(ends),
        market=tuple(source.symbols),
        always=_always(plan, source),
        history=start_ns > floor_to(source.start_ns, SECOND_NS),
        lockstep=plan.session.lockstep and plan.feed.speed == "max" and bool(plan.strategies),
    )


def _require_rows(plan: Plan, source: BlockSource, start_ns: int, stop_ns: int | None, zone: ZoneInfo) -> None:
    if source.end_ns < start_ns or (stop_ns is not None and stop_ns <= start_ns):
        first, last = (
            datetime.fromtimestamp(ns / SECOND_NS, zone).isoformat(sep=" ", timespec="seconds")
            for ns in (source.start_ns, source.end_ns)
        )
        raise PlanError(
            "[session] start, stop",
            f'`"{plan.session.start}"` to `"{plan.session.stop}"`, in which {source.place} has no data',
            f"times between {first} and {last} ({zone})",
            "Move `start` and `stop`, or leave them empty.",
        )


def _require_span(source: BlockSource) -> None:
    """Every second of a session is played, so one stray stamp would mean years of them."""
    if source.start_ns > 0 and source.end_ns - source.start_ns <= LONGEST_NS:
        return
    first, last = (np.datetime64(ns, "ns").astype("datetime64[s]") for ns in (source.start_ns, source.end_ns - 1))
    raise TapeError(
        source.place,
        f"rows received from {first} to {last} (UTC)",
        f"times after 1970, {LONGEST_DAYS} days of them at most",
        "Correct `recv_ns`, which is in ns since the epoch, or play fewer files at once.",
    )


def _require_symbols(plan: Plan, source: BlockSource) -> None:
    """Every symbol that the plan names is in the market data, where a mistyped one would never tick."""
    named = {"[feed] symbols": plan.feed.symbols} | {
        f"[[strategies]] {entry.name} symbols": entry.symbols for entry in plan.strategies
    }
    known = {*source.symbols, "*"}
    for place, symbols in named.items():
        for symbol in symbols:
            if symbol not in known:
                raise PlanError(
                    place,
                    f'`"{symbol}"`, which {source.place} does not have',
                    f"symbols such as {', '.join(source.symbols[:5])}",
                    'Correct it, or take all with symbols = ["*"].',
                )


def _always(plan: Plan, source: BlockSource) -> tuple[str, ...]:
    return tuple(source.symbols) if plan.feed.symbols == ("*",) else plan.feed.symbols
