"""Factories of market data that can be read again: tapes and the made-up market.

Tests: tests/desk/venues/test_registry.py
"""

from datetime import date

from desk.config import Plan
from desk.feeds.synthetic.market import SyntheticConfig, SyntheticMarket
from desk.model.blocks import BlockSource
from desk.model.errors import PlanError
from desk.model.hours import TradingDay
from desk.model.units import MINUTE_NS
from desk.telemetry import formatting
from desk.venues.feed_factory import HoursOn, ReplayFactory


class TapeFactory(ReplayFactory):
    """Recorded market data in Parquet files. Modules that import pyarrow are imported only where they are needed."""

    def source(self, plan: Plan, hours_on: HoursOn) -> BlockSource:  # noqa: ARG002  the port's
        """The tape with all of its days."""
        from desk.tape.reader import TapeSource  # noqa: PLC0415 - imports pyarrow, which other feeds do not need

        tape = TapeSource(plan.feed.path)
        tape.require_ns()
        return tape

    def fingerprints(self, plan: Plan) -> dict[str, str]:
        """The fingerprints of the tape's files."""
        from desk.tape.fingerprint import tape_fingerprints  # noqa: PLC0415 - as above

        return tape_fingerprints(plan.feed.path)

    def describe(self, plan: Plan, source: BlockSource) -> tuple[str, str]:  # noqa: ARG002  the port's
        """The tape's place and size."""
        from desk.tape.reader import TapeSource  # noqa: PLC0415 - as above

        assert isinstance(source, TapeSource)
        return (
            "tape",
            f"{source.place}, {formatting.count(source.rows)} rows in {formatting.some(len(source.files), 'file')}",
        )


class SyntheticFactory(ReplayFactory):
    """A market generated from a seed."""

    def source(self, plan: Plan, hours_on: HoursOn) -> BlockSource:
        """The market of the day that [feed.synthetic] names, from the open of the exchange on."""
        settings = plan.feed.synthetic
        return SyntheticMarket(
            SyntheticConfig(
                seed=settings.seed,
                symbols=settings.symbols,
                events_per_s=settings.events_per_s,
                start_ns=_hours(plan, hours_on).open_ns,
                duration_s=60 * settings.minutes,
                bursts=settings.bursts,
                late_fraction=settings.late_fraction,
                odd_lot_fraction=settings.odd_lot_fraction,
            )
        )

    def fingerprints(self, plan: Plan) -> dict[str, str]:  # noqa: ARG002  the port's
        """Empty: the plan alone determines the rows."""
        return {}

    def describe(self, plan: Plan, source: BlockSource) -> tuple[str, str]:  # noqa: ARG002  the port's
        """The market's seed, rate and date."""
        settings = plan.feed.synthetic
        return ("market", f"made up from seed {settings.seed}, {settings.events_per_s:,.0f} events/s, {settings.date}")


def _hours(plan: Plan, hours_on: HoursOn) -> TradingDay:
    """The exchange's hours on the market's day. Raises PlanError if it is closed, or open for less than `minutes`."""
    settings, calendar = plan.feed.synthetic, plan.session.calendar
    hours = hours_on(date.fromisoformat(settings.date))
    if hours is None:
        raise PlanError(
            "[feed.synthetic] date",
            f'`"{settings.date}"`, on which {calendar} is closed',
            "a trading day of [session] calendar",
            'Name another day, or set calendar = "24/7".',
        )
    open_minutes = (hours.close_ns - hours.open_ns) // MINUTE_NS
    if settings.minutes > open_minutes:
        raise PlanError(
            "[feed.synthetic] minutes",
            f"`{settings.minutes}`, more than the {open_minutes} minutes that {calendar} is open on {settings.date}",
            f"a whole number from 1 to {open_minutes}",
            f"Set minutes = {open_minutes}, or name another date.",
        )
    return hours
