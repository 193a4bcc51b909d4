"""Shards that join and leave during a session."""

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
    """Opens and closes lanes on request.

    A shard joins like the successor of a dead one: the producer requests its position, and does not wait for it. A
    shard leaves once it owns no slots, takes part in no move, and all of its items are durable: its process may then
    end, and a later successor restores its state. If a leaving shard stays after all, its lane, which was quiet, gets
    the last mark.
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
        self._requests: deque[AddShard | RemoveShard] = deque()

    def request(self, request: AddShard | RemoveShard) -> None:
        """Queue a request for `apply_requests`. A repeat has no effect."""
        self._requests.append(request)

    def locate(self, shards: Iterable[int]) -> Generator[Wait, None, list[ShardPosition]]:
        """Request the positions of these shards and wait for all of them; return them by shard number."""
        wanted = sorted(shards)
        self._located.clear()
        for shard in wanted:
            self._directory.locate(shard)
        while not self._located.keys() >= set(wanted):
            yield Wait(AckWait.ONE)
        return [self._located[shard] for shard in wanted]

    def take(self, position: ShardPosition) -> None:
        """Record the position of a shard."""
        self._located[position.shard] = position

    def welcome(self, position: ShardPosition) -> bool:
        """Open the lane of a joining shard at its position; False if the shard is not joining."""
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
        """The leaving shards that own no slot and take part in no move."""
        return [shard for shard in sorted(self._leaving) if shard in self._lanes and not self._moves.touches(shard)]

    def apply_requests(self) -> None:
        """Carry out the requests, as far as that is possible now."""
        while self._requests:
            self._apply(self._requests.popleft())
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

    def _apply(self, request: AddShard | RemoveShard) -> None:
        shard = request.shard
        if isinstance(request, RemoveShard):
            if shard in self._lanes or shard in self.joining:
                self._leaving.add(shard)
            return
        self._leaving.discard(shard)
        if shard not in self._lanes and shard not in self.joining:
            self.joining.add(shard)
            self._directory.locate(shard)

    def _leave(self, shard: int) -> None:
        """Close the shard's lane if all of its items are durable, else request a checkpoint."""
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
        self._notes.add(f"shard {shard} owns no slots any more: its lane is closed")
