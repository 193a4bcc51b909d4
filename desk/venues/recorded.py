"""Market data that can be read again: a tape, and the synthetic market.

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
    """Recorded market data: Parquet files. Modules that bring pyarrow are imported where they are needed."""

    def source(self, plan: Plan, hours_on: HoursOn) -> BlockSource:  # noqa: ARG002  the port's
        """The tape, of all its days."""
        from desk.tape.reader import TapeSource  # noqa: PLC0415 - brings pyarrow, which other feeds do without

        tape = TapeSource(plan.feed.path)
        tape.require_ns()
        return tape

    def fingerprints(self, plan: Plan) -> dict[str, str]:
        """Those of the tape's files."""
        from desk.tape.fingerprint import tape_fingerprints  # noqa: PLC0415 - as above

        return tape_fingerprints(plan.feed.path)

    def fact(self, plan: Plan, source: BlockSource) -> tuple[str, str]:  # noqa: ARG002  the port's
        """Where the tape is, and how large."""
        from desk.tape.reader import TapeSource  # noqa: PLC0415 - as above

        assert isinstance(source, TapeSource)
        return (
            "tape",
            f"{source.place}, {formatting.count(source.rows)} rows in {formatting.some(len(source.files), 'file')}",
        )


class SyntheticFactory(ReplayFactory):
    """A market made up from a seed."""

    def source(self, plan: Plan, hours_on: HoursOn) -> BlockSource:
        """The market of the day that [feed.synthetic] names, from the exchange's open on."""
        made = plan.feed.synthetic
        return SyntheticMarket(
            SyntheticConfig(
                seed=made.seed,
                symbols=made.symbols,
                events_per_s=made.events_per_s,
                start_ns=_hours(plan, hours_on).open_ns,
                duration_s=60 * made.minutes,
                bursts=made.bursts,
                late_fraction=made.late_fraction,
                odd_lot_fraction=made.odd_lot_fraction,
            )
        )

    def fingerprints(self, plan: Plan) -> dict[str, str]:  # noqa: ARG002  the port's
        """None: the plan alone decides what the rows are."""
        return {}

    def fact(self, plan: Plan, source: BlockSource) -> tuple[str, str]:  # noqa: ARG002  the port's
        """What it is made from."""
        made = plan.feed.synthetic
        return ("market", f"made up from seed {made.seed}, {made.events_per_s:,.0f} events/s, {made.date}")


def _hours(plan: Plan, hours_on: HoursOn) -> TradingDay:
    """The hours of the market's day. Raises PlanError where the exchange is closed, or not open for so long."""
    made, calendar = plan.feed.synthetic, plan.session.calendar
    hours = hours_on(date.fromisoformat(made.date))
    if hours is None:
        raise PlanError(
            "[feed.synthetic] date",
            f'`"{made.date}"`, on which {calendar} is closed',
            "a trading day of [session] calendar",
            'Name another day, or set calendar = "24/7".',
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
