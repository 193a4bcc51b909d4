"""Market data by the plan's words: what can be played again, and what streams live."""

from datetime import date
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from desk.config import Plan, load_settings
from desk.config.urls import is_loopback
from desk.feeds.synthetic import SyntheticConfig, SyntheticMarket
from desk.market.blocks import BlockSource
from desk.market.day import DaySource, Recorded
from desk.market.replay import BlockFeed
from desk.model.checkpoint import ProducerState
from desk.model.errors import CredentialsError, PlanError
from desk.model.hours import TradingDay
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.pipeline.session import Session
from desk.ports import Clock
from desk.venues.alpaca.market import AlpacaFeed
from desk.wiring.exchange_days import ALWAYS, ExchangeDays

ORDINAL_BITS: Final = 40
ALPACA_STREAM: Final = "wss://stream.data.alpaca.markets/v2/iex"
ANY_KEY: Final = SecretStr("local")


def market_source(plan: Plan, session: Session | None = None) -> BlockSource | None:
    """The market data that the plan names, where it can be played again; None for a live stream.

    With a session they are those of its day alone. Raises TapeError, CredentialsError, PlanError.
    """
    feed = plan.feed
    if feed.kind == "alpaca":
        return None
    if feed.kind == "tape":
        from desk.tape.reader import TapeSource  # noqa: PLC0415 - brings pyarrow, which other feeds do without

        tape = TapeSource(feed.path)
        tape.require_ns()
        return tape if session is None else session_source(tape, session)
    made = feed.synthetic
    hours = made_up_hours(plan) if session is None else session.hours
    return SyntheticMarket(
        SyntheticConfig(
            seed=made.seed,
            symbols=made.symbols,
            events_per_s=made.events_per_s,
            start_ns=hours.open_ns,
            duration_s=60 * made.minutes,
            bursts=made.bursts,
            late_fraction=made.late_fraction,
            odd_lot_fraction=made.odd_lot_fraction,
        )
    )


def session_source(source: BlockSource, session: Session) -> BlockSource:
    """Of recorded market data the session's exchange day; others are of one day anyway."""
    if isinstance(source, Recorded):
        return DaySource(source, session.hours.start_ns, session.hours.end_ns)
    return source


def source_notes(source: BlockSource | None) -> list[str]:
    """Remarks of a source that are no faults, a line each; a made-up market and a stream have none."""
    notes: list[str] = getattr(source, "notes", [])
    return notes


def made_up_hours(plan: Plan) -> TradingDay:
    """The hours of the made-up market's day. Raises PlanError where the exchange is closed, or not open so long."""
    made = plan.feed.synthetic
    calendar = plan.session.calendar
    hours = ExchangeDays(calendar).hours(date.fromisoformat(made.date))
    if hours is None:
        raise PlanError(
            "[feed.synthetic] date",
            f'`"{made.date}"`, on which {calendar} is closed',
            "a trading day of [session] calendar",
            f'Name another day, or set calendar = "{ALWAYS}".',
        )
    open_minutes = (hours.close_ns - hours.open_ns) // MINUTE_NS
    if made.minutes > open_minutes:
        raise PlanError(
            "[feed.synthetic] minutes",
            f"`{made.minutes}`, more than the {open_minutes} minutes that {calendar} is open on {made.date}",
            f"a whole number from 1 to {open_minutes}",
            f"Set minutes = {open_minutes}, or name another date.",
        )
    return hours


def market_feed(
    plan: Plan,
    session: Session,
    source: BlockSource | None,
    clock: Clock,
    epoch: int = 0,
    state: ProducerState | None = None,
) -> BlockFeed | AlpacaFeed:
    """The feed of ticks, which goes on from a dead producer's state. Raises CredentialsError.

    Ordinals of a live feed rise from one incarnation of the producer to the next.
    """
    feed = _market_feed(plan, session, source, clock, epoch, None if state is None else state.mark_ns)
    if state is not None:
        feed.counts.restore(state.received, state.rejected, state.skipped, state.examples)
    return feed


def _market_feed(
    plan: Plan, session: Session, source: BlockSource | None, clock: Clock, epoch: int, resume_ns: int | None
) -> BlockFeed | AlpacaFeed:
    channels = frozenset(plan.feed.channels)
    if source is None:
        key, secret = require_credentials(plan)
        live = AlpacaFeed(
            plan.feed.url or ALPACA_STREAM,
            key.get_secret_value(),
            secret.get_secret_value(),
            channels=channels,
            clock=clock,
            session_clock=plan.session.clock,
            start_ns=session.start_ns,
            stop_ns=session.stop_ns,
            hours=session.hours,
            is_open=partial(ExchangeDays(plan.session.calendar).is_open, date.fromisoformat(session.day)),
            first_ordinal=(epoch << ORDINAL_BITS) + 1,
            allow_plain=plan.feed.allow_plain,
            resumed_from_ns=resume_ns,
            timeout_ns=round(plan.guards.feed_timeout_s * SECOND_NS),
        )
        live.keep_below(round(plan.guards.max_data_latency_s * SECOND_NS))
        return live
    return BlockFeed(
        source,
        clock,
        channels=channels,
        start_ns=session.start_ns,
        stop_ns=session.stop_ns,
        speed=None if plan.feed.speed == "max" else plan.feed.speed,
        resume_ns=resume_ns,
    )


def require_feed_keys(plan: Plan) -> None:
    """See that this process has the keys of the plan's feed, where it needs any. Raises CredentialsError."""
    if plan.feed.kind == "alpaca":
        require_credentials(plan)


def require_credentials(plan: Plan) -> tuple[SecretStr, SecretStr]:
    """Key and secret for the plan's stream; a venue on this machine takes any. Raises CredentialsError."""
    settings = load_settings()
    key, secret = settings.alpaca_api_key, settings.alpaca_secret_key
    local = is_loopback(urlsplit(plan.feed.url).hostname or "")
    if key is None or secret is None:
        if local:
            return key or ANY_KEY, secret or ANY_KEY
        missing = [name for name, value in (("ALPACA_API_KEY", key), ("ALPACA_SECRET_KEY", secret)) if value is None]
        raise CredentialsError(
            '[feed] kind = "alpaca"',
            f"no {' and no '.join(missing)}",
            "both, in the environment or as files in the folder that RAYDESK_SECRETS_DIR names",
            "Set them, or name a `desk venue` on this machine in [feed] url.",
        )
    return key, secret
