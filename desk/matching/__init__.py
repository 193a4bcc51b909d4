"""The simulated venue's matching of one symbol's orders on that symbol's ticks."""

from desk.matching.matcher import Matcher
from desk.matching.resting import Resting

__all__ = ["Matcher", "Resting"]
