"""The five limits of the plan's [risk] table."""

import msgspec


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Money in account currency; a limit is the highest value still allowed, but for the loss, which stops at it."""

    max_order_notional: float = 10_000.0
    max_position_notional: float = 25_000.0
    max_gross_notional: float = 100_000.0
    max_orders_per_minute: int = 60
    max_daily_loss: float = 2_000.0
