"""The engine of one shard: items in, in the lane's order; bars, intents, reports and audit out.

No clock, no file, no socket: the engine is a function of its items.
"""

from desk.consumer.engine.engine import Engine
from desk.consumer.engine.engine_config import EngineConfig
from desk.consumer.engine.outcome import Outcome
from desk.consumer.engine.strategy_entry import StrategyEntry

__all__ = ["Engine", "EngineConfig", "Outcome", "StrategyEntry"]
