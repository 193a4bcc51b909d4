"""What a shard tells about itself: counts by class and cause, and what went wrong in strategies."""

import msgspec

MAX_EXAMPLES = 20


class StrategyFault(msgspec.Struct, array_like=True):
    """A strategy that raised, or took longer than its budget, in one hook call."""

    strategy: str
    symbol: str
    hook: str
    session_ns: int
    detail: str


class Audit(msgspec.Struct, array_like=True):
    """Running totals of one shard. `repeated` ticks came again after they were applied: not in the balance.

    `stopped` holds one fault per instance that raised; `slow` the first calls above the budget.
    """

    trades: int = 0
    quotes: int = 0
    rejected_trades: dict[str, int] = {}
    rejected_quotes: dict[str, int] = {}
    repeated: int = 0
    stopped: list[StrategyFault] = []
    slow_calls: int = 0
    slow: list[StrategyFault] = []
    intents: int = 0


def count(causes: dict[str, int], cause: str) -> None:
    """Add one under its cause."""
    causes[cause] = causes.get(cause, 0) + 1
