"""Whether a symbol trades, and within which prices, by the notices of its venue.

Tests: tests/desk/consumer/matching/test_matching_rules.py
"""

from math import inf
from typing import Final, NamedTuple

import msgspec

from desk.consumer.matching.rules import MatchingRules
from desk.model.notices import PriceBands, TradingStatus


class PriceLimits(NamedTuple):
    """The least and the greatest price at which a symbol may trade."""

    down: float = 0.0
    up: float = inf

    def hold(self, price: float) -> bool:
        """Whether the symbol may trade at this price."""
        return self.down <= price <= self.up

    def clip(self, price: float) -> float:
        """The nearest price at which it may."""
        return min(max(price, self.down), self.up)


NO_LIMITS: Final = PriceLimits()


class TradingState(msgspec.Struct, array_like=True):
    """The trading of one symbol. The struct is its whole state.

    `status` is the newest message that halted or resumed trading, `bands` are the newest price bands; a resumption ends
    those of before the halt. `doubt_ns` is the venue time from which ticks are missing during a halt: the message that
    ends it may be among them.
    """

    status: TradingStatus | None = None
    bands: PriceBands | None = None
    doubt_ns: int | None = None

    @property
    def halted(self) -> bool:
        """Whether trading is halted."""
        return self.status is not None and self.status.halted

    def take_status(self, status: TradingStatus) -> bool:
        """Apply a message; False for one that is older than the newest."""
        known = self.status
        if known is not None and status.ts_ns < known.ts_ns:
            return False
        if status.halted or status.resumed:
            if status.resumed and self.halted:
                self.bands = None
            self.status, self.doubt_ns = status, None
        return True

    def take_bands(self, bands: PriceBands) -> bool:
        """Apply price bands; False for bands that are older than the newest, or than the last resumption."""
        newest_ns = -1 if self.bands is None else self.bands.ts_ns
        if self.status is not None and self.status.resumed:
            newest_ns = max(newest_ns, self.status.ts_ns)
        if bands.ts_ns < newest_ns:
            return False
        self.bands = bands
        return True

    def may_fill(self, ts_ns: int) -> bool:
        """Whether a tick of this venue time may fill or trigger orders: none of before or within a halt does."""
        status = self.status
        return status is None or not (status.halted or ts_ns < status.ts_ns)

    def limits(self, at_ns: int, rules: MatchingRules) -> PriceLimits:
        """The prices at which the symbol may trade at this session time: bands hold in the regular hours only."""
        bands, hours = self.bands, rules.hours
        if bands is None or at_ns < bands.ts_ns + rules.delay_ns or not hours.open_ns <= at_ns < hours.close_ns:
            return NO_LIMITS
        return PriceLimits(bands.down, bands.up or inf)


UNRESTRICTED: Final = TradingState()
"""The state of a symbol without notices; never changed."""
