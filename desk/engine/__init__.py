"""One shard's brain: items in, in the lane's order; bars, intents, reports and audit out.

No clock, no file, no socket: what the engine does is a function of its items.
"""

from desk.engine.engine import Engine, EngineConfig
from desk.engine.instance import StrategyEntry

__all__ = ["Engine", "EngineConfig", "StrategyEntry"]
