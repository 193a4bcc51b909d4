"""Counts of ticks that were held while their symbols moved to another shard."""

from typing import NamedTuple


class HeldCounts(NamedTuple):
    """Ticks held, and ticks dropped because there was no room, by class."""

    trades: int = 0
    quotes: int = 0
    revisions: int = 0
    trades_full: int = 0
    quotes_full: int = 0
    notices: int = 0
