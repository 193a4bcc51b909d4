"""Market data of a plan: sources, which can be read repeatedly, and feeds, replayed or live.

Tests: tests/desk/wiring/test_plan_session.py
"""

from datetime import date
from functools import partial
from typing import Final

from desk.config import Plan
from desk.feeds.replay import BlockFeed
from desk.model.blocks import BlockSource
from desk.model.feed_position import FeedPosition
from desk.model.hours import TradingDay
from desk.model.session import Session
from desk.model.units import SECOND_NS
from desk.ports import Clock, Feed, LiveFeed, LiveMarket
from desk.tape.recorded_day import DaySource, RecordedSource
from desk.venues.api_keys import api_keys
from desk.venues.feed_factory import LiveFactory, LiveSetup, ReplayFactory
from desk.venues.registry import feed_factory
from desk.wiring.exchange_days import ExchangeDays

ORDINAL_BITS: Final = 40


def market_source(plan: Plan, session: Session | None = None) -> BlockSource | None:
    """The plan's market data; None for a live stream. With a session, only the rows of its day.

    Raises TapeError, CredentialsError, PlanError.
    """
    factory = feed_factory(plan)
    return None if isinstance(factory, LiveFactory) else replayed_source(plan, factory, session)


def replayed_source(plan: Plan, factory: ReplayFactory, session: Session | None = None) -> BlockSource:
    """The market data of a kind of feed that can be read repeatedly; likewise."""

    def hours_on(day: date) -> TradingDay | None:
        return ExchangeDays(plan.session.calendar).hours(day) if session is None else session.hours

    source = factory.source(plan, hours_on)
    return source if session is None else session_source(source, session)


def session_source(source: BlockSource, session: Session) -> BlockSource:
    """The session's exchange day of recorded market data; other sources have one day only."""
    if isinstance(source, RecordedSource):
        return DaySource(source, session.hours.start_ns, session.hours.end_ns)
    return source


def live_market(plan: Plan, session: Session) -> LiveMarket | None:
    """The live market that the plan's scanners read; None without scanners. Raises CredentialsError, PlanError."""
    factory = feed_factory(plan)
    if not plan.scanners or not isinstance(factory, LiveFactory):
        return None
    return factory.market(plan, api_keys(plan), date.fromisoformat(session.day))


def source_notes(source: BlockSource | None) -> list[str]:
    """Notes of recorded market data, one line each; other sources have none."""
    notes: list[str] = getattr(source, "notes", [])
    return notes


def market_feed(
    plan: Plan,
    session: Session,
    source: BlockSource | None,
    clock: Clock,
    epoch: int = 0,
    resume: FeedPosition | None = None,
) -> Feed:
    """The session's feed, from the session's start or from the last producer's position. Raises CredentialsError."""
    factory = feed_factory(plan)
    if isinstance(factory, LiveFactory):
        return _live_feed(factory, plan, session, clock, epoch, resume)
    assert source is not None, "a replayed feed has a source"
    return BlockFeed(
        source,
        clock,
        channels=frozenset(plan.feed.channels),
        start_ns=session.start_ns,
        stop_ns=session.stop_ns,
        speed=None if plan.feed.speed == "max" else plan.feed.speed,
        resume=resume,
    )


def _live_feed(
    factory: LiveFactory, plan: Plan, session: Session, clock: Clock, epoch: int, resume: FeedPosition | None
) -> LiveFeed:
    """A live feed. The epoch is part of its ordinals, so they increase when the producer is restarted."""
    is_open = partial(ExchangeDays(plan.session.calendar).is_open, date.fromisoformat(session.day))
    setup = LiveSetup(session, clock, (epoch << ORDINAL_BITS) + 1, is_open)
    live = factory.open(plan, api_keys(plan), setup, resume)
    live.keep_below(round(plan.guards.max_data_latency_s * SECOND_NS))
    live.expect_delay(round(plan.feed.delay_s * SECOND_NS))
    return live
