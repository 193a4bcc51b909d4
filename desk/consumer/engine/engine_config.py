"""The settings of an engine."""

import msgspec

from desk.consumer.engine.guard import MOST_STATE_BYTES
from desk.model.hours import ALWAYS_OPEN, TradingDay


class EngineConfig(msgspec.Struct, frozen=True):
    """Settings of an engine; see `[bars]`, `[broker]`, `[feed]` and `[guards]` in the tradeplan.

    `hours` are those of the exchange day. `delay_ns` is how late the feed is by design: added to a tick's venue time
    wherever that is compared with session time. `has_trades`: the feed carries trades. `live`: no data are fresh before
    the first mark says so. `repair_ns`: partial minutes are kept that much longer than `bar_revise_ns`, for a repair
    from the venue's history.
    """

    session: str
    session_start_ns: int
    bar_grace_ns: int
    bar_revise_ns: int
    strategy_budget_ns: int
    slippage_bps: float = 0.0
    fee_per_share: float = 0.0
    hours: TradingDay = ALWAYS_OPEN
    delay_ns: int = 0
    has_trades: bool = True
    live: bool = False
    state_bytes: int = MOST_STATE_BYTES
    repair_ns: int = 0
