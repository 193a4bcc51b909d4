"""The trades that the scanners' view remembers: those that a shard watching every symbol from the start would have.

Tests: tests/desk/scanning/test_market_view_revisions.py
"""

from collections.abc import Iterable

from desk.bars.remembered_trades import RememberedTrades, RevisionOutcome
from desk.model.bars import Bar
from desk.model.ticks import Revision, Trade
from desk.model.units import MINUTE_NS, SECOND_NS, ceil_to, floor_to


class KnownTrades:
    """Memories by symbol index, evicted at the same marks as in a shard; `revise_ns` is the plan's.

    A symbol without trade identities has none.
    """

    def __init__(self, start_ns: int, revise_ns: int, split_ns: int | None) -> None:
        self._revise_ns = revise_ns
        self._split_ns = split_ns
        self._memories: dict[int, RememberedTrades] = {}
        self.revisable_from_ns = floor_to(floor_to(start_ns, SECOND_NS) - revise_ns, MINUTE_NS)

    def __bool__(self) -> bool:
        return bool(self._memories)

    def __contains__(self, number: int) -> bool:
        return number in self._memories

    def begin(self, number: int, trade: Trade, minutes: Iterable[Bar], earlier: Trade | None) -> None:
        """Start remembering a symbol's trades with this one; `minutes` are its existing minutes."""
        self._memories[number] = RememberedTrades(
            trade.ordinal, minutes, earlier, split_ns=self._split_ns, saving=False
        )

    def take(self, number: int, trade: Trade) -> bool:
        """Remember a trade; False if its identity is known."""
        return self._memories[number].take(trade)

    def revise(self, number: int, revision: Revision) -> tuple[RevisionOutcome, RememberedTrades] | None:
        """Correct or cancel a trade; returns the changed memory, None if nothing changed."""
        memory = self._memories.get(number)
        if memory is None:
            return None
        revised = memory.revise(revision, self.revisable_from_ns)
        return None if revised.old is None else (revised, memory)

    def packed(self, number: int) -> bytes:
        """The encoded memory of a symbol, for a `Watch`; empty if it has none."""
        memory = self._memories.get(number)
        return b"" if memory is None else memory.packed()

    def reach(self, recv_ns: int) -> None:
        """Advance to this time: evict the trades that shards evict at the marks up to it."""
        if not self._memories:
            reached_ns = floor_to(floor_to(recv_ns, SECOND_NS) - self._revise_ns, MINUTE_NS)
            self.revisable_from_ns = max(reached_ns, self.revisable_from_ns)
        while (mark_ns := self.next_mark_ns) <= recv_ns:
            self.revisable_from_ns = floor_to(mark_ns - self._revise_ns, MINUTE_NS)
            for memory in self._memories.values():
                memory.forget(self.revisable_from_ns, mark_ns)

    @property
    def next_mark_ns(self) -> int:
        """The first whole second at which another minute stops being revisable."""
        return ceil_to(self.revisable_from_ns + MINUTE_NS + self._revise_ns, SECOND_NS)
