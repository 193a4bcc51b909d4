"""Market data by the plan's words: what can be played again, and what streams live."""

from datetime import date, datetime, time
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from desk.config import Plan, load_settings
from desk.feeds.alpaca import AlpacaFeed
from desk.feeds.synthetic import SyntheticConfig, SyntheticMarket
from desk.market.blocks import BlockSource
from desk.market.replay import BlockFeed
from desk.model.checkpoint import ProducerState
from desk.model.errors import CredentialsError, PlanError
from desk.model.units import SECOND_NS
from desk.pipeline.session import Session
from desk.ports import Clock

OPEN: Final = time(9, 30)
ORDINAL_BITS: Final = 40
ALPACA_STREAM: Final = "wss://stream.data.alpaca.markets/v2/iex"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
ANY_KEY: Final = SecretStr("local")


def market_source(plan: Plan, session: Session | None = None) -> BlockSource | None:
    """The market data that the plan names, where it can be played again; None for a live stream.

    With a session its time zone is used, else that of the plan's calendar is looked up. Raises TapeError,
    CredentialsError, PlanError.
    """
    feed = plan.feed
    if feed.kind == "alpaca":
        return None
    if feed.kind == "tape":
        from desk.tape.reader import TapeSource  # noqa: PLC0415 - brings pyarrow, which other feeds do without

        return TapeSource(feed.path)
    zone = exchange_zone(plan) if session is None else ZoneInfo(session.timezone)
    made = feed.synthetic
    return SyntheticMarket(
        SyntheticConfig(
            seed=made.seed,
            symbols=made.symbols,
            events_per_s=made.events_per_s,
            start_ns=exchange_ns(date.fromisoformat(made.date), OPEN, zone),
            duration_s=60 * made.minutes,
            bursts=made.bursts,
            late_fraction=made.late_fraction,
            odd_lot_fraction=made.odd_lot_fraction,
        )
    )


def source_notes(source: BlockSource | None) -> list[str]:
    """What a source has to say of itself that is no fault, a line each; a made-up market and a stream say nothing."""
    notes: list[str] = getattr(source, "notes", [])
    return notes


def exchange_zone(plan: Plan) -> ZoneInfo:
    """The time zone of the plan's exchange. Raises PlanError for a calendar that nobody knows."""
    import exchange_calendars  # noqa: PLC0415 - brings pandas, which only the driver needs
    from exchange_calendars.errors import InvalidCalendarName  # noqa: PLC0415 - as above

    try:
        calendar = exchange_calendars.get_calendar(plan.session.calendar)
    except InvalidCalendarName as error:
        raise PlanError(
            "[session] calendar",
            f'`"{plan.session.calendar}"`, which is no exchange that is known here',
            'an ISO 10383 code such as "XNYS"',
            "Name the exchange whose hours apply.",
        ) from error
    return ZoneInfo(str(calendar.tz))


def exchange_ns(day: date, at: time, zone: ZoneInfo) -> int:
    """A time of day on the exchange's clock, in ns since the epoch."""
    return int(datetime.combine(day, at, zone).timestamp()) * SECOND_NS


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
        return AlpacaFeed(
            plan.feed.url or ALPACA_STREAM,
            key.get_secret_value(),
            secret.get_secret_value(),
            channels=channels,
            clock=clock,
            session_clock=plan.session.clock,
            stop_ns=session.stop_ns,
            is_open=trading_hours(plan),
            first_ordinal=(epoch << ORDINAL_BITS) + 1,
            resumed_from_ns=resume_ns,
        )
    return BlockFeed(
        source,
        clock,
        channels=channels,
        start_ns=session.start_ns,
        stop_ns=session.stop_ns,
        speed=None if plan.feed.speed == "max" else plan.feed.speed,
        resume_ns=resume_ns,
    )


def require_credentials(plan: Plan) -> tuple[SecretStr, SecretStr]:
    """Key and secret for the plan's stream; a venue on this machine takes any. Raises CredentialsError."""
    settings = load_settings()
    key, secret = settings.alpaca_api_key, settings.alpaca_secret_key
    local = urlsplit(plan.feed.url).hostname in LOOPBACK
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


def trading_hours(plan: Plan) -> "Hours":
    """Whether the plan's exchange is open at a session time: outside, a mute stream is nothing to worry about."""
    return Hours(plan.session.calendar)


class Hours:
    """The regular hours of an exchange, with pre-market and after hours left out: quiet there is usual."""

    def __init__(self, calendar: str) -> None:
        import exchange_calendars  # noqa: PLC0415 - as above

        self._calendar = exchange_calendars.get_calendar(calendar)

    def __call__(self, session_ns: int) -> bool:
        """Whether the exchange is open at this minute."""
        minute = datetime.fromtimestamp(session_ns // SECOND_NS // 60 * 60, ZoneInfo("UTC"))
        inside = self._calendar.first_minute <= minute <= self._calendar.last_minute
        return bool(inside and self._calendar.is_open_on_minute(minute))
