"""The limits of the plan's [risk] table, and the entries per minute of each strategy."""

from collections.abc import Mapping

import msgspec


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Risk limits; money in account currency.

    A limit is the highest value still allowed; but `max_daily_loss` refuses entries as soon as it is reached.
    `entries_per_minute` is a strategy's own limit, by its name. A strategy without one has the account's limit.
    """

    max_order_notional: float = 10_000.0
    max_position_notional: float = 25_000.0
    max_gross_notional: float = 100_000.0
    max_orders_per_minute: int = 60
    max_daily_loss: float = 2_000.0
    entries_per_minute: Mapping[str, int] = {}


def entry_shares(account: int, own: Mapping[str, int]) -> dict[str, int]:
    """Entries per minute by strategy: its own limit, or for 0 an equal share of the account's, at least one."""
    share = max(account // max(len(own), 1), 1)
    return {strategy: limit or share for strategy, limit in own.items()}
