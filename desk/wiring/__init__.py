"""From the plan to objects: the one place that knows which class stands behind a word of the plan."""

from desk.wiring.flow import intake, lanes
from desk.wiring.markets import exchange_ns, exchange_zone, market_feed, market_source, require_credentials
from desk.wiring.sessions import open_session
from desk.wiring.shards import engine, scanner_entries, scanning, shard, strategy_entries
from desk.wiring.trading import ledger, order_manager

__all__ = [
    "engine",
    "exchange_ns",
    "exchange_zone",
    "intake",
    "lanes",
    "ledger",
    "market_feed",
    "market_source",
    "open_session",
    "order_manager",
    "require_credentials",
    "scanner_entries",
    "scanning",
    "shard",
    "strategy_entries",
]
