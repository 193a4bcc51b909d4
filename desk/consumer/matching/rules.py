"""Settings shared by all orders of a simulated venue: costs, hours, and the delay of its ticks."""

import msgspec

from desk.model.hours import ALWAYS_OPEN, TradingDay


class MatchingRules(msgspec.Struct, frozen=True, array_like=True):
    """How the simulated venue fills orders.

    `slippage_bps` worsens fills of market and triggered stop orders; `fee_per_share` is in account currency.
    `delay_ns` is how late the feed is by design: added to a tick's venue time wherever that is compared with an
    order's. `has_trades`: the feed carries trades; without them stops are triggered by quotes.
    """

    slippage_bps: float = 0.0
    fee_per_share: float = 0.0
    delay_ns: int = 0
    has_trades: bool = True
    hours: TradingDay = ALWAYS_OPEN

    @property
    def slippage(self) -> float:
        """Slippage as a fraction of the price."""
        return self.slippage_bps / 10_000.0

    def span_ns(self, *, extended_hours: bool) -> tuple[int, int]:
        """The hours of an order: its opening (inclusive) and its end (exclusive)."""
        hours = self.hours
        return (hours.start_ns, hours.end_ns) if extended_hours else (hours.open_ns, hours.close_ns)
