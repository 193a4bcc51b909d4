"""Shards that join and leave while the market goes on."""

from collections import deque
from collections.abc import Callable

from desk.ports import ShardLinks
from desk.producer.lanes import Lanes
from desk.producer.slot_moves import Moves


class Enlisting:
    """Opens and closes lanes as it is wished, from the producer's own thread.

    A shard joins as one that was lost comes back: asked where it stands, and not waited for. It leaves once it owns
    no slots, no move has anything to do with it, and all that it was given is durable: its process may then end, and
    whoever makes it again finds it as it was. `wake` gives the last mark to one whose lane was quiet for that, and that
    is to stay.
    """

    def __init__(self, lanes: Lanes, links: ShardLinks, moves: Moves, wake: Callable[[int], None]) -> None:
        self.joining: set[int] = set()
        self._leaving: set[int] = set()
        self._lanes = lanes
        self._links = links
        self._moves = moves
        self._wake = wake
        self._wishes: deque[tuple[int, bool]] = deque()

    def wish(self, shard: int, *, there: bool) -> None:
        """Ask for a shard to be there, or not. May be called from another thread; asking again changes nothing."""
        self._wishes.append((shard, there))

    def joined(self, shard: int) -> bool:
        """Whether the shard that has just said where it stands is one that joins; it is no longer waited for."""
        found = shard in self.joining
        self.joining.discard(shard)
        return found

    @property
    def ready(self) -> list[int]:
        """The shards that shall leave and have nothing to do with any slot or move."""
        return [shard for shard in sorted(self._leaving) if shard in self._lanes and not self._moves.touches(shard)]

    def change(self) -> list[int]:
        """Take in what is wished, and go on with it; the shards whose lanes were closed."""
        while self._wishes:
            self._take(*self._wishes.popleft())
        self._moves.take_in()
        if not self._leaving and not self._lanes.quiet:
            return []
        ready = self.ready
        for shard in sorted(self._lanes.quiet.difference(ready)):
            self._lanes.quiet.discard(shard)
            self._wake(shard)
        self._lanes.quiet.update(ready)
        return [shard for shard in ready if self._leave(shard)]

    def rest(self) -> None:
        """Wait until nothing more is to be durable of those that are ready to leave: for a feed that stands still."""
        ready = self.ready
        if ready:
            self._lanes.flush()
            self._lanes.poke_until(lambda lane: lane.durable or lane.shard not in ready)
            self._lanes.flush()

    def _take(self, shard: int, there: bool) -> None:
        if not there:
            if shard in self._lanes or shard in self.joining:
                self._leaving.add(shard)
            return
        self._leaving.discard(shard)
        if shard not in self._lanes and shard not in self.joining:
            self.joining.add(shard)
            self._links.enlist(shard)

    def _leave(self, shard: int) -> bool:
        lane = self._lanes[shard]
        if not lane.idle:
            return False
        if not lane.durable:
            self._lanes.poke([lane])
            return False
        self._leaving.discard(shard)
        self._lanes.close(shard)
        self._links.dismiss(shard)
        return True
