"""Bars of any length: of the source's trades so far, and of made-up days before them."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from desk.bars.sale_conditions import eligibility
from desk.local_venue.byte_fields import Ints
from desk.local_venue.play_moment import PlayMoment
from desk.local_venue.rest.folded_bars import FoldedBars, fold_trades
from desk.local_venue.rest.made_days import MadeDays
from desk.local_venue.rest.market_store import MarketStore
from desk.local_venue.rest.price_factors import Adjustment, PriceFactors
from desk.local_venue.rest.trading_days import DaysOf, TradingDays, calendar_of, date_of, midnight_ns, midnights
from desk.local_venue.venue_settings import PlaySettings
from desk.model.corporate_actions import CorporateAction
from desk.model.units import MINUTE_NS

Unit = Literal["Min", "Hour", "Day", "Week", "Month"]
LONGEST_CLOSURE_DAYS: Final = 15
LONGEST_NS: Final = 366 * 86_400 * 10**9


class BarLength(NamedTuple):
    """The length of bars, as Alpaca writes it: 5Min, 1Hour, 1Day."""

    amount: int
    unit: Unit

    @property
    def step_ns(self) -> int | None:
        """The length of bars shorter than a day; None for others."""
        return {"Min": MINUTE_NS, "Hour": 60 * MINUTE_NS}.get(self.unit, 0) * self.amount or None


MINUTE: Final = BarLength(1, "Min")
DAY: Final = BarLength(1, "Day")


class MarketPast:
    """The bars that a vendor's history would hold at the play's present.

    Minutes follow the rule of the stream's bars (desk/local_venue/minute_bars.py). Bars shorter than a day appear when
    they are over; those of a day and longer include the present one. A day's prices are those of regular hours, its
    volume is that of all hours. Made-up days begin the day before the source's first, so their number of minutes
    follows from `days_of`, the calendars.
    """

    def __init__(
        self, store: MarketStore, play: PlaySettings, days_of: DaysOf, actions: Sequence[CorporateAction]
    ) -> None:
        self.store = store
        self._play = play
        self._days_of = days_of
        self._days: dict[str, TradingDays] = {}
        self._made: dict[str, MadeDays] = {}
        self._factors = PriceFactors(actions)

    def days(self, calendar: str) -> TradingDays:
        """The days of an exchange."""
        if calendar not in self._days:
            self._days[calendar] = self._days_of(calendar)
        return self._days[calendar]

    def minutes(self, symbol: str, moment: PlayMoment) -> FoldedBars:
        """The minutes of the source's trades so far, the present one included."""
        trades = self.store.trades(symbol, moment).standing()
        rules = np.array([eligibility(code) for code in self.store.conditions] or np.zeros((0, 3)), np.bool_)
        sets = rules[trades.conditions]
        counted = np.flatnonzero(sets[:, 0])
        kept = trades.only(counted)
        start_ns = kept.ts_ns - kept.ts_ns % MINUTE_NS
        return fold_trades(start_ns, kept.price, kept.size, sets[counted, 1], sets[counted, 2])

    def bars(
        self,
        symbol: str,
        length: BarLength,
        from_ns: int,
        to_ns: int,
        moment: PlayMoment,
        adjustment: Adjustment = "raw",
    ) -> FoldedBars:
        """The bars that start from `from_ns` to `to_ns`, both included."""
        days = self.days(calendar_of(symbol))
        early_ns = from_ns if length.step_ns or length.unit == "Day" else from_ns - LONGEST_NS
        made = self._made_bars(symbol, length, early_ns, to_ns, moment)
        bars = FoldedBars.joined((made, self._real_bars(symbol, length, days, moment)))
        if length.unit in {"Week", "Month"}:
            bars = bars.gathered(_long_starts(bars.start_ns, length, days))
        first, stop = np.searchsorted(bars.start_ns, (from_ns, to_ns + 1)).tolist()
        bars = bars.only(slice(first, stop))
        bars = bars.only(bars.priced)
        if adjustment == "raw" or not len(bars):
            return bars
        return self._adjusted(bars, symbol, adjustment, moment)

    def day_before(self, symbol: str, today: date, moment: PlayMoment) -> FoldedBars:
        """The bar of the trading day before `today`; none if it is unknown."""
        days = self.days(calendar_of(symbol))
        for back in range(1, LONGEST_CLOSURE_DAYS):
            day = today - timedelta(days=back)
            if days.hours(day) is not None:
                start_ns = midnight_ns(day, days.zone)
                return self.bars(symbol, DAY, start_ns, start_ns, moment)
        return FoldedBars.empty()

    def _real_bars(self, symbol: str, length: BarLength, days: TradingDays, moment: PlayMoment) -> FoldedBars:
        minutes = self.minutes(symbol, moment)
        step_ns = length.step_ns
        if step_ns is None:
            outside = ~_regular(minutes.start_ns, days)
            return minutes.without_prices(outside).gathered(midnights(minutes.start_ns, days.zone))
        over = minutes.only(minutes.start_ns + MINUTE_NS <= moment.session_ns)
        bars = over.gathered(over.start_ns - over.start_ns % step_ns)
        return bars.only(bars.start_ns + step_ns <= moment.session_ns)

    def _made_bars(self, symbol: str, length: BarLength, from_ns: int, to_ns: int, moment: PlayMoment) -> FoldedBars:
        made = self._made_days(calendar_of(symbol), moment)
        days = self.days(calendar_of(symbol))
        step_ns = length.step_ns
        bars = [FoldedBars.empty()]
        for day in made.dates(date_of(from_ns, days.zone), date_of(max(to_ns, 0), days.zone)):
            minutes = made.minutes(symbol, day)
            factor = np.full(len(minutes), self._factors.split(symbol, day, made.before))
            raw = minutes.scaled(factor, 1 / factor)
            starts = (
                raw.start_ns - raw.start_ns % step_ns if step_ns else np.full(len(raw), midnight_ns(day, days.zone))
            )
            bars.append(raw.gathered(starts))
        return FoldedBars.joined(bars)

    def _made_days(self, calendar: str, moment: PlayMoment) -> MadeDays:
        """The made-up days before the play's first."""
        start_ns = self.store.start_ns
        if self._play.restamp:
            start_ns = moment.session_ns if moment.state == "waiting" else moment.round_start_ns
        before = date_of(start_ns, self.days(calendar).zone)
        made = self._made.get(calendar)
        if made is None or made.before != before:
            made = MadeDays(self._play.seed, self.days(calendar), before, self.store.first_prices)
            self._made[calendar] = made
        return made

    def _adjusted(self, bars: FoldedBars, symbol: str, adjustment: Adjustment, moment: PlayMoment) -> FoldedBars:
        days = self.days(calendar_of(symbol))
        today = date_of(moment.session_ns, days.zone)

        def close_before(day: date) -> float:
            end_ns = midnight_ns(day, days.zone) - 1
            first_ns = midnight_ns(day - timedelta(days=14), days.zone)
            closes = self.bars(symbol, DAY, first_ns, end_ns, moment).close
            return float(closes[-1]) if len(closes) else float("nan")

        starts = midnights(bars.start_ns, days.zone)
        distinct, index = np.unique(starts, return_inverse=True)
        factors = [
            self._factors.adjusting(symbol, date_of(start, days.zone), today, adjustment, close_before)
            for start in distinct.tolist()
        ]
        price, volume = np.array(factors, np.float64).T
        return bars.scaled(price[index], volume[index])


def _regular(start_ns: Ints, days: TradingDays) -> NDArray[np.bool_]:
    """Which minutes lie in regular hours; all of them on a date without hours."""
    distinct, index = np.unique(midnights(start_ns, days.zone), return_inverse=True)
    hours = [days.hours(date_of(start, days.zone)) for start in distinct.tolist()]
    open_ns = np.array([0 if day is None else day.open_ns for day in hours], np.int64)[index]
    close_ns = np.array([1 << 62 if day is None else day.close_ns for day in hours], np.int64)[index]
    inside: NDArray[np.bool_] = (start_ns >= open_ns) & (start_ns < close_ns)
    return inside


def _long_starts(start_ns: Ints, length: BarLength, days: TradingDays) -> Ints:
    """The start of the week (Monday) or of the months of each date."""
    out = []
    for time_ns in start_ns.tolist():
        day = date_of(time_ns, days.zone)
        if length.unit == "Week":
            first = day - timedelta(days=day.weekday())
        else:
            first = date(day.year, day.month - (day.month - 1) % length.amount, 1)
        out.append(midnight_ns(first, days.zone))
    return np.array(out, np.int64)
