"""Moves of slots from one shard to another: fence, handover, adoption, settlement."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from desk.consumer.engine.snapshot import state_mark_ns
from desk.flow import Lane
from desk.flow.routing_table import SLOTS, RoutingTable, slot_of
from desk.model.batch import Ack, ShardPosition
from desk.model.items import Adopt, GapItem, Item, Mark, Release, Settle, encode_items
from desk.model.units import MS_NS, SECOND_NS
from desk.producer.held_items import HeldItems
from desk.telemetry.histogram import Histogram
from desk.telemetry.note_board import NoteBoard

MAX_SLOTS_LIVE: Final = 4
MAX_SLOTS_LOSSLESS: Final = 64
"""The most slots with symbols in one move. Their state is encoded, sent and adopted as a whole, and in a live market
other symbols wait meanwhile. Slots without symbols are not limited."""
BACKLOG_NS: Final = 100 * MS_NS
"""With such a backlog, moved slots would wait in the lane anyway, and the move relieves it at once. So the limit is
that of a lossless feed, and moves to several shards may run at a time."""

RESTORED_BEFORE: Final = "the shard was restored to a time before the handover"


@dataclass(slots=True)
class MoveOutcome:
    """The result of a request, which may take several moves. It is noted once, when the last one is applied."""

    under_way: int = 0
    waiting: bool = True
    moves: int = 0
    slots: int = 0
    longest_ns: int = 0


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """A request to move slots to a shard. `number` is that of a move that a dead producer began, else 0."""

    slots: tuple[int, ...]
    to: int
    number: int = 0
    outcome: MoveOutcome = field(default_factory=MoveOutcome)


@dataclass(slots=True)
class Move:
    """A move that is not settled. `mark_ns` is the last mark before its fence, `fenced_ns` the fence's wall time.

    It is `held` until its state is sent to the new shard, and `applied` once that shard has adopted it.
    """

    number: int
    slots: frozenset[int]
    source: int
    to: int
    mark_ns: int
    fenced_ns: int
    outcome: MoveOutcome
    holding: HeldItems | None
    state: bytes | None = None
    released_seq: int = 0
    held: bool = True
    applied: bool = False


class SlotMoves:
    """All moves of a session.

    `table` is the current routing table; `version` rises whenever a route changes. `reached_ns` is the last mark.
    `used` are the slots that have symbols. If `is_closed`, because a dead producer has closed a shard, no move begins.

    A live feed keeps running: items for moving slots are held, and follow their state in the `Adopt`. A shard takes
    part in one move at a time; one with a backlog may give slots to several shards.

    A `lossless` feed waits until the move is settled, from the fence to the new shard's checkpoint, and the adoption
    waits for a checkpoint with the release. So, whichever process dies, no shard is restored to a time before a move
    that another shard has completed, and every tick is counted once.
    """

    def __init__(self, table: RoutingTable, number: int, notes: NoteBoard, *, lossless: bool = False) -> None:
        self.table = table
        self.version = 0
        self.number = number
        self.done = 0
        self.used: set[int] = set()
        self.is_closed = False
        self.pauses = Histogram()
        self._lossless = lossless
        self._notes = notes
        self._inbox: deque[MoveRequest] = deque()
        self._requests: deque[MoveRequest] = deque()
        self._moves: dict[int, Move] = {}
        self._by_slot: dict[int, HeldItems] = {}
        self._marks: dict[int, int] = {}
        self.reached_ns = 0

    @property
    def held(self) -> bool:
        """Whether items of any slot are held."""
        return bool(self._by_slot)

    @property
    def under_way(self) -> bool:
        """Whether the state of any slot is between two shards; if `lossless`, whether any move is not settled."""
        return any(self._lossless or move.held for move in self._moves.values())

    @property
    def unsaved(self) -> set[int]:
        """The shards whose next checkpoint a move waits for."""
        return {
            move.source if move.held else move.to
            for move in self._moves.values()
            if self._lossless and (move.state is not None or not move.held)
        }

    def touches(self, shard: int) -> bool:
        """Whether the shard owns slots, or takes part in a move that is requested or not settled."""
        return (
            shard in self.table.shards
            or any(shard in (move.source, move.to) for move in self._moves.values())
            or any(request.to == shard for request in self._requests)
        )

    @property
    def has_requests(self) -> bool:
        """Whether a requested move has not begun."""
        return bool(self._requests or self._inbox)

    def accept_requests(self) -> None:
        """Accept the requests made since the last call."""
        while self._inbox:
            self._requests.append(self._inbox.popleft())

    def request(self, slots: Iterable[int], to: int) -> None:
        """Request a move; the next `begin` starts it if possible."""
        self._inbox.append(MoveRequest(tuple(sorted(set(slots))), to))

    def holding(self, symbol: str) -> HeldItems | None:
        """Where the symbol's items are held; None if it does not move."""
        return self._by_slot.get(slot_of(symbol)) if self._by_slot else None

    def begin(self, lanes: Mapping[int, Lane], mark_ns: int, now_ns: int) -> bool:
        """Put the fences of requested moves into the lanes; return whether any move began.

        No move begins before `mark_ns` has reached the last mark that any shard had from a dead producer.
        """
        if mark_ns < max(self._marks.values(), default=0):
            return False
        if self.is_closed:
            self.drop_requests()
        before = len(self._moves)
        for _ in range(len(self._requests)):
            request = self._requests.popleft()
            if (
                request.to not in lanes
                or not 0 <= min(request.slots, default=0) <= max(request.slots, default=0) < SLOTS
            ):
                self._notes.add(
                    f"slots {list(request.slots)} were not moved to shard {request.to}: no such shard or slot"
                )
                continue
            rest = self._begin_possible(request, lanes, now_ns)
            request.outcome.waiting = bool(rest)
            if rest:
                self._requests.append(MoveRequest(rest, request.to, request.number, request.outcome))
        return len(self._moves) > before

    def drop_requests(self) -> None:
        """Drop the requests that have not begun, except moves that a dead producer began."""
        self.accept_requests()
        self._requests = deque(request for request in self._requests if request.number)

    def mark(self, second: Mark) -> None:
        """Record a mark, and hold it for moving slots."""
        self.reached_ns = second.session_ns
        self.hold(second)

    def hold(self, item: Item) -> None:
        """Hold an item that goes into every lane, for moving slots."""
        for move in self._moves.values():
            if move.holding is not None and move.held:
                move.holding.put(item)

    def on_ack(self, ack: Ack, lanes: Mapping[int, Lane], now_ns: int) -> None:
        """Send an `Adopt` for states that came with the ack, and a `Settle` for adoptions that are durable."""
        if not self._moves:
            return
        for number, state in (ack.released or {}).items():
            self._store_state(number, state, lanes)
        for move in list(self._moves.values()):
            if move.held:
                saved = not self._lossless or (ack.shard == move.source and ack.durable_seq >= move.released_seq)
                if move.state is not None and saved:
                    self._adopt(move, move.state, lanes, now_ns)
            elif ack.shard == move.to:
                self._check_adoption(move, ack, lanes, now_ns)

    def on_back(self, position: ShardPosition, lanes: Mapping[int, Lane]) -> None:
        """Take the released states from a successor's position: the ack with them may have been lost."""
        for number, held in position.released.items():
            self._store_state(number, held.state, lanes)

    def recover(self, positions: Iterable[ShardPosition], lanes: Mapping[int, Lane], now_ns: int) -> None:
        """Restore a dead producer's moves, complete or not, from the positions of the shards.

        `positions` must be durable. Adopted slots belong to the shard that adopted them; an old owner that was restored
        to a time before the release releases them again. For slots that are released and not adopted, the move begins
        again. A shard without a lane sleeps, and its releases are durable.
        """
        known = list(positions)
        self._marks = {position.shard: position.mark_ns for position in known}
        adopted = {number: (slots, position.shard) for position in known for number, slots in position.adopted.items()}
        released = {number: held.release for position in known for number, held in position.released.items()}
        self.number = max(self.number, *adopted, *released, 0)
        for number, (slots, to) in sorted(adopted.items()):
            for source in sorted({self.table.shards[slot] for slot in slots} & lanes.keys() - {to}):
                lanes[source].put(Release(number, list(slots), to))
                lanes[source].put(Settle(number))
            self.table = self.table.moved(slots, to)
        for number, release in sorted(released.items()):
            newest = max((other for other, (slots, _) in adopted.items() if set(slots) & set(release.slots)), default=0)
            if newest < number:
                self._restart(MoveRequest(tuple(release.slots), release.to, number), lanes, now_ns)
        self.version += 1

    def _store_state(self, number: int, state: bytes, lanes: Mapping[int, Lane]) -> None:
        move = self._moves.get(number)
        if move is not None and move.held:
            move.state, move.released_seq = state, lanes[move.source].filled_seq

    def _restart(self, request: MoveRequest, lanes: Mapping[int, Lane], now_ns: int) -> None:
        """Begin a dead producer's move again, at once if the feed is live."""
        if self._lossless:
            self._requests.append(request)
        else:
            self._begin_possible(request, lanes, now_ns)

    def _begin_possible(self, request: MoveRequest, lanes: Mapping[int, Lane], now_ns: int) -> tuple[int, ...]:
        """Begin moves for as many slots as possible; return the slots that must wait."""
        owners = self.table.shards
        rest = [slot for slot in request.slots if owners[slot] != request.to]
        giving = {move.source for move in self._moves.values() if move.held}
        taking = {move.to for move in self._moves.values() if move.held}
        for source in sorted({owners[slot] for slot in rest}):
            has_backlog = not self._lossless and lanes[source].age_ns(now_ns) >= BACKLOG_NS
            is_blocked = (
                source in taking
                or request.to in giving
                or request.to in taking
                or (source in giving and not has_backlog)
            )
            if is_blocked and not request.number:
                continue
            limit = MAX_SLOTS_LOSSLESS if self._lossless or has_backlog else MAX_SLOTS_LIVE
            most = len(request.slots) if request.number else limit
            part = self._limited([slot for slot in rest if owners[slot] == source], most)
            self._fence(request, part, source, lanes, now_ns)
            rest = [slot for slot in rest if slot not in part]
            giving.add(source)
            taking.add(request.to)
        return tuple(rest)

    def _limited(self, slots: list[int], most: int) -> list[int]:
        """At most `most` of the slots with symbols, and all without."""
        used = [slot for slot in slots if slot in self.used]
        left = set(used[most:])
        return [slot for slot in slots if slot not in left]

    def _fence(
        self, request: MoveRequest, slots: list[int], source: int, lanes: Mapping[int, Lane], now_ns: int
    ) -> None:
        number, to = request.number or self.number + 1, request.to
        self.number = max(self.number, number)
        request.outcome.under_way += 1
        holding = None if self._lossless else HeldItems(lanes[to].config.capacity)
        move = Move(number, frozenset(slots), source, to, self._mark_ns(to), now_ns, request.outcome, holding)
        self._moves[number] = move
        lanes[source].put(Release(number, slots, to))
        if holding is not None:
            self._by_slot |= dict.fromkeys(slots, holding)
            self.version += 1

    def _mark_ns(self, shard: int) -> int:
        """The last mark that the shard has reached, or that waits in its lane."""
        return max(self.reached_ns, self._marks.get(shard, 0))

    def _adopt(self, move: Move, state: bytes, lanes: Mapping[int, Lane], now_ns: int) -> None:
        lane = lanes[move.to]
        holding = move.holding or HeldItems(0)
        reached_ns = state_mark_ns(state)
        first_items: list[Item] = [Mark(max(move.mark_ns, reached_ns), now_ns)]
        if reached_ns < move.mark_ns:
            first_items.insert(0, GapItem(reached_ns, move.mark_ns + SECOND_NS - 1, RESTORED_BEFORE))
        lane.put(Adopt(move.number, sorted(move.slots), state, encode_items([*first_items, *holding.items])))
        lane.count_adopted(holding.counts)
        move.state = move.holding = None
        move.held = False
        for slot in move.slots:
            self._by_slot.pop(slot, None)
        self.table = self.table.moved(move.slots, move.to)
        self.version += 1

    def _check_adoption(self, move: Move, ack: Ack, lanes: Mapping[int, Lane], now_ns: int) -> None:
        seq = lanes[move.to].adopted_in(move.number)
        if seq is None:
            return
        if not move.applied and ack.seq >= seq:
            move.applied = True
            self._count_move(move, now_ns)
        if ack.durable_seq >= seq:
            del self._moves[move.number]
            lanes[move.source].put(Settle(move.number))

    def _count_move(self, move: Move, now_ns: int) -> None:
        self.done += 1
        pause_ns = max(now_ns - move.fenced_ns, 0)
        self.pauses.add_one(pause_ns)
        outcome = move.outcome
        outcome.under_way -= 1
        outcome.moves += 1
        outcome.slots += len(move.slots)
        outcome.longest_ns = max(outcome.longest_ns, pause_ns)
        if outcome.under_way or outcome.waiting:
            return
        longest = f"{outcome.longest_ns / MS_NS:,.1f} ms"
        if outcome.moves > 1:
            self._notes.add(
                f"{outcome.slots} slots moved to shard {move.to} in {outcome.moves} moves, the longest in {longest}"
            )
            return
        slots = f"slot {min(move.slots)}" if outcome.slots == 1 else f"{outcome.slots} slots"
        self._notes.add(f"move {move.number}: {slots} from shard {move.source} to shard {move.to} in {longest}")
