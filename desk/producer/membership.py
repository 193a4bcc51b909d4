"""Shards that join and leave while the market goes on."""

from collections import deque
from collections.abc import Generator, Iterable

from desk.model.batch import ShardPosition
from desk.model.commands import AddShard, RemoveShard
from desk.ports import AckWait, ShardDirectory, Wait
from desk.producer.durable_states import ProducerStates
from desk.producer.lane_opening import LaneOpening
from desk.producer.lanes import Lanes
from desk.producer.slot_moves import SlotMoves
from desk.telemetry.note_board import NoteBoard


class ShardMembership:
    """Opens and closes lanes as it is wished.

    A shard joins as one that was lost comes back: asked where it stands, and not waited for. It leaves once it owns
    no slots, no move has anything to do with it, and all that it was given is durable: its process may then end, and
    its successor finds it as it was. One whose lane was quiet for that, and that is to stay, is given the last mark.
    """

    def __init__(
        self,
        lanes: Lanes,
        directory: ShardDirectory,
        moves: SlotMoves,
        opening: LaneOpening,
        states: ProducerStates,
        notes: NoteBoard,
    ) -> None:
        self.joining: set[int] = set()
        self._located: dict[int, ShardPosition] = {}
        self._leaving: set[int] = set()
        self._lanes = lanes
        self._directory = directory
        self._moves = moves
        self._opening = opening
        self._states = states
        self._notes = notes
        self._wishes: deque[AddShard | RemoveShard] = deque()

    def request(self, wish: AddShard | RemoveShard) -> None:
        """Take in that a shard is to be there, or not; `apply_requests` does it. A repeat changes nothing."""
        self._wishes.append(wish)

    def locate(self, shards: Iterable[int]) -> Generator[Wait, None, list[ShardPosition]]:
        """Ask these shards where they stand, and wait until all have said so; their positions, by number."""
        awaited = sorted(shards)
        self._located.clear()
        for shard in awaited:
            self._directory.locate(shard)
        while not self._located.keys() >= set(awaited):
            yield Wait(AckWait.ONE)
        return [self._located[shard] for shard in awaited]

    def take(self, position: ShardPosition) -> None:
        """A shard has said where it stands."""
        self._located[position.shard] = position

    def welcome(self, position: ShardPosition) -> bool:
        """Open the lane of a shard that has said where it stands; False where that is none that joins."""
        shard = position.shard
        if shard not in self.joining:
            return False
        self.joining.discard(shard)
        totals = self._lanes.closed.get(shard)
        if totals is None and not self._lanes.config.lossless:
            totals = position.lane
        self._opening.open(position, totals)
        self._opening.mark(shard)
        self._notes.add(f"shard {shard} joins (epoch {position.epoch})")
        return True

    @property
    def ready(self) -> list[int]:
        """The shards that shall leave and have nothing to do with any slot or move."""
        return [shard for shard in sorted(self._leaving) if shard in self._lanes and not self._moves.touches(shard)]

    def apply_requests(self) -> None:
        """Do what is wished, as far as it can be done now."""
        while self._wishes:
            self._take(self._wishes.popleft())
        self._moves.accept_requests()
        if not self._leaving and not self._lanes.quiet:
            return
        ready = self.ready
        for shard in sorted(self._lanes.quiet.difference(ready)):
            self._opening.mark(shard)
        self._lanes.quiet.clear()
        self._lanes.quiet.update(ready)
        for shard in ready:
            self._leave(shard)

    def _take(self, wish: AddShard | RemoveShard) -> None:
        shard = wish.shard
        if isinstance(wish, RemoveShard):
            if shard in self._lanes or shard in self.joining:
                self._leaving.add(shard)
            return
        self._leaving.discard(shard)
        if shard not in self._lanes and shard not in self.joining:
            self.joining.add(shard)
            self._directory.locate(shard)

    def _leave(self, shard: int) -> None:
        """Close the shard's lane, once all of it is durable."""
        lane = self._lanes[shard]
        if not lane.idle:
            return
        if not lane.durable:
            self._lanes.request_checkpoints([lane])
            return
        self._leaving.discard(shard)
        self._lanes.close(shard)
        self._directory.forget(shard)
        self._states.leave(shard)
        self._notes.add(f"shard {shard} owns nothing any more: its lane is closed")
