"""The load of each slot: its ticks, counted in a sample of the batches.

Tests: tests/desk/report/test_rebalancing.py
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from desk.flow.routing_table import slot_of
from desk.model.items import Item
from desk.model.ticks import Quote, Trade

EVERY: Final = 16
"""One batch in EVERY is counted, which costs 0.01 to 0.02 µs per tick."""


class SlotMeter:
    """Estimates the ticks of each slot so far: the ticks of the sampled batches, times EVERY."""

    def __init__(self) -> None:
        self.ticks: dict[int, int] = {}
        self._batches = 0
        self._slots: dict[str, int] = {}

    def count(self, items: Iterable[Item]) -> None:
        """Count a batch if it is in the sample."""
        self._batches += 1
        if self._batches % EVERY:
            return
        found = Counter([item.symbol for item in items if type(item) is Trade or type(item) is Quote])
        for symbol, ticks in found.items():
            slot = self._slots.get(symbol)
            if slot is None:
                slot = self._slots[symbol] = slot_of(symbol)
            self.ticks[slot] = self.ticks.get(slot, 0) + EVERY * ticks
