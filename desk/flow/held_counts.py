"""The ticks that were held for a symbol on its way to another shard."""

from typing import NamedTuple


class HeldCounts(NamedTuple):
    """By class: those held, and those dropped because there was no room."""

    trades: int = 0
    quotes: int = 0
    revisions: int = 0
    trades_full: int = 0
    quotes_full: int = 0
