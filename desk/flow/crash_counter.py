"""Whether a shard dies of an item, or was killed while it happened to have it.

Tests: tests/desk/flow/test_lane_kills.py
"""

from typing import Final, NamedTuple

from desk.model.items import Item
from desk.model.ticks import Quote, Trade

DEATHS_OF_A_TICK: Final = 3
DEATHS_OF_THE_REST: Final = 5


class ItemPlace(NamedTuple):
    """Where an item stands: the number of its batch, and its place in that."""

    seq: int
    offset: int


class CrashCounter:
    """How many times in a row the shard died while the same item, and nothing else, was under way to it.

    Poison kills every time. A kill from outside meets an item that is alone under way by chance: one time in a
    thousand, where an item takes a millisecond and kills come a second apart. That it meets the same item in the next
    life too, and again in the one after, has that chance squared. Of marks, order events and the like more is asked:
    their work takes longer than a tick's, and the run ends with them.
    """

    def __init__(self) -> None:
        self._place: ItemPlace | None = None
        self._deaths = 0

    def count_crash(self, item: Item, place: ItemPlace) -> bool:
        """Take in another death on the item at this place; whether that is enough."""
        self._deaths = self._deaths + 1 if place == self._place else 1
        self._place = place
        return self._deaths >= (DEATHS_OF_A_TICK if isinstance(item, Trade | Quote) else DEATHS_OF_THE_REST)

    def on_applied(self, place: ItemPlace) -> None:
        """Take in that the shard has applied the item at this place."""
        if place == self._place:
            self.clear()

    def clear(self) -> None:
        """Forget it all."""
        self._place = None
        self._deaths = 0
