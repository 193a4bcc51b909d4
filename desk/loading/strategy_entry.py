"""Loads the strategy of an entry of the plan.

Tests: tests/test_configs.py
"""

from desk.config import StrategyPlan
from desk.loading.declared_history import check_bars
from desk.loading.factory import StrategyFactory, load_strategy


def load_entry(entry: StrategyPlan, place: str) -> StrategyFactory:
    """Load and check the strategy of an entry of the plan. Raises StrategyError; `place` is the entry's place."""
    factory = load_strategy(entry.use, entry.params, place)
    check_bars(factory.cls, entry.bars, place)
    return factory
