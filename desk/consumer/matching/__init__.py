"""The simulated venue's matching of one symbol's orders on that symbol's ticks."""

from desk.consumer.matching.matcher import Matcher
from desk.consumer.matching.resting_order import RestingOrder
from desk.consumer.matching.rules import MatchingRules
from desk.consumer.matching.trading_state import TradingState

__all__ = ["Matcher", "MatchingRules", "RestingOrder", "TradingState"]
