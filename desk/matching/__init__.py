"""The simulated venue's matching of one symbol's orders on that symbol's ticks."""

from desk.matching.matcher import Matcher
from desk.matching.resting import Resting
from desk.matching.rules import MatchingRules

__all__ = ["Matcher", "MatchingRules", "Resting"]
