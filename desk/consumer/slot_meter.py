"""How busy each slot is: its ticks, counted in a sample of the batches.

Tests: tests/desk/report/test_rebalancing.py
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from desk.flow.routing_table import slot_of
from desk.model.items import Item
from desk.model.ticks import Quote, Trade

EVERY: Final = 16
"""One batch of so many is looked at: which costs one or two hundredths of a microsecond per tick."""


class SlotMeter:
    """Estimates the ticks of each slot so far: those of the batches looked at, times EVERY."""

    def __init__(self) -> None:
        self.ticks: dict[int, int] = {}
        self._batches = 0
        self._slots: dict[str, int] = {}

    def count(self, items: Iterable[Item]) -> None:
        """Look at a batch, if it is its turn."""
        self._batches += 1
        if self._batches % EVERY:
            return
        found = Counter([item.symbol for item in items if type(item) is Trade or type(item) is Quote])
        for symbol, ticks in found.items():
            slot = self._slots.get(symbol)
            if slot is None:
                slot = self._slots[symbol] = slot_of(symbol)
            self.ticks[slot] = self.ticks.get(slot, 0) + EVERY * ticks
