"""Slots on their way from one shard to another: fence, hand over, adopt, settle."""

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

LIVE_PART: Final = 4
WAITING_PART: Final = 64
"""So many slots with symbols go in one move: their state is packed, sent and taken in at one go, and in a live market
others wait for it. Slots without any cost nothing."""
BACKLOG_NS: Final = 100 * MS_NS
"""Where ticks wait so long in a lane, moved slots wait for those before them anyway, and lighten the lane at once: as
many go as if the market waited, and to several shards."""

BEHIND: Final = "the shard fell back before it handed over"


@dataclass(slots=True)
class MoveOutcome:
    """What came of a wish, which may take several moves: it is told once, when the last of them is applied."""

    under_way: int = 0
    waiting: bool = True
    moves: int = 0
    slots: int = 0
    longest_ns: int = 0


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """These slots shall belong to that shard. `number` is that of a move begun by a dead producer; else 0."""

    slots: tuple[int, ...]
    to: int
    number: int = 0
    outcome: MoveOutcome = field(default_factory=MoveOutcome)


@dataclass(slots=True)
class Move:
    """One move that is not over. `mark_ns` is the last mark before its fence, `fenced_ns` the wall time of that.

    It is `held` until its state goes to the other shard, and `applied` once that has taken it in.
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

    `table` is the one in force; `version` rises whenever any symbol has another route. `reached_ns` is the last mark.
    `used` are the slots that have symbols. Once it is `is_closed`, because a dead producer has closed a shard, no move
    begins.

    A live feed goes on: what comes for slots on their way is held, and follows their state in its `Adopt`. One move
    at a time is under way to or from a shard, but for one with a backlog, which gives to several.

    With `waits`, the feed waits until a move is over, from the fence to the other side's checkpoint; and nobody adopts
    before the release is in a checkpoint of its own. So whoever dies, no shard falls back behind a move that another
    has gone past, and what is counted stays counted once.
    """

    def __init__(self, table: RoutingTable, number: int, notes: NoteBoard, *, waits: bool = False) -> None:
        self.table = table
        self.version = 0
        self.number = number
        self.done = 0
        self.used: set[int] = set()
        self.is_closed = False
        self.pauses = Histogram()
        self._waits = waits
        self._notes = notes
        self._inbox: deque[MoveRequest] = deque()
        self._requests: deque[MoveRequest] = deque()
        self._moves: dict[int, Move] = {}
        self._by_slot: dict[int, HeldItems] = {}
        self._marks: dict[int, int] = {}
        self.reached_ns = 0

    @property
    def held(self) -> bool:
        """Whether anything is being held."""
        return bool(self._by_slot)

    @property
    def under_way(self) -> bool:
        """Whether any slot's state is with nobody; with `waits`, whether any move is not over."""
        return any(self._waits or move.held for move in self._moves.values())

    @property
    def unsaved(self) -> set[int]:
        """The shards whose next checkpoint a move waits for."""
        return {
            move.source if move.held else move.to
            for move in self._moves.values()
            if self._waits and (move.state is not None or not move.held)
        }

    def touches(self, shard: int) -> bool:
        """Whether the shard owns slots, or has anything to do with a move that is wished or not over."""
        return (
            shard in self.table.shards
            or any(shard in (move.source, move.to) for move in self._moves.values())
            or any(request.to == shard for request in self._requests)
        )

    @property
    def has_requests(self) -> bool:
        """Whether there is anything to begin."""
        return bool(self._requests or self._inbox)

    def accept_requests(self) -> None:
        """Take in what was wished from elsewhere: from now on it counts."""
        while self._inbox:
            self._requests.append(self._inbox.popleft())

    def request(self, slots: Iterable[int], to: int) -> None:
        """Ask for a move; it begins when `begin` is next called. May be called from another thread."""
        self._inbox.append(MoveRequest(tuple(sorted(set(slots))), to))

    def holding(self, symbol: str) -> HeldItems | None:
        """Where the symbol's items go while they are held."""
        return self._by_slot.get(slot_of(symbol)) if self._by_slot else None

    def begin(self, lanes: Mapping[int, Lane], mark_ns: int, now_ns: int) -> bool:
        """Put the fences of wished moves into the lanes; whether there was any.

        What a dead producer's shards have gone past does not come again: until `mark_ns` has reached it, nothing moves.
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
                    f"no move of slots {list(request.slots)} to shard {request.to}: there is no such shard or slot"
                )
                continue
            rest = self._begin_parts(request, lanes, now_ns)
            request.outcome.waiting = bool(rest)
            if rest:
                self._requests.append(MoveRequest(rest, request.to, request.number, request.outcome))
        return len(self._moves) > before

    def drop_requests(self) -> None:
        """Forget what is wished and not begun, but for what a dead producer had begun."""
        self.accept_requests()
        self._requests = deque(request for request in self._requests if request.number)

    def mark(self, second: Mark) -> None:
        """A mark is put into every lane: keep it for the slots that are on their way."""
        self.reached_ns = second.session_ns
        self.hold(second)

    def hold(self, item: Item) -> None:
        """An item is put into every lane: keep it for the slots that are on their way."""
        for move in self._moves.values():
            if move.holding is not None and move.held:
                move.holding.put(item)

    def on_ack(self, ack: Ack, lanes: Mapping[int, Lane], now_ns: int) -> None:
        """Let those be adopted whose state came with the ack, and forgotten those that are durable elsewhere."""
        if not self._moves:
            return
        for number, state in (ack.released or {}).items():
            self._take(number, state, lanes)
        for move in list(self._moves.values()):
            if move.held:
                saved = not self._waits or (ack.shard == move.source and ack.durable_seq >= move.released_seq)
                if move.state is not None and saved:
                    self._adopt(move, move.state, lanes, now_ns)
            elif ack.shard == move.to:
                self._follow(move, ack, lanes, now_ns)

    def on_back(self, position: ShardPosition, lanes: Mapping[int, Lane]) -> None:
        """Take what a shard's successor holds for moves under way: the ack that brought it may have been lost."""
        for number, held in position.released.items():
            self._take(number, held.state, lanes)

    def recover(self, positions: Iterable[ShardPosition], lanes: Mapping[int, Lane], now_ns: int) -> None:
        """Find out what a dead producer moved, and what it left half-way, by what the shards have and hold.

        `positions` are such that no shard falls back behind its own. What is adopted is where it is; a shard that
        has fallen back to before it let that go, lets it go now. What is released and nowhere adopted is in
        nobody's hands: its move is wished again. A shard without a lane sleeps: it let go of everything durably.
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

    def _take(self, number: int, state: bytes, lanes: Mapping[int, Lane]) -> None:
        move = self._moves.get(number)
        if move is not None and move.held:
            move.state, move.released_seq = state, lanes[move.source].filled_seq

    def _restart(self, request: MoveRequest, lanes: Mapping[int, Lane], now_ns: int) -> None:
        """Begin a dead producer's move again: at once where time does not wait for shards."""
        if self._waits:
            self._requests.append(request)
        else:
            self._begin_parts(request, lanes, now_ns)

    def _begin_parts(self, request: MoveRequest, lanes: Mapping[int, Lane], now_ns: int) -> tuple[int, ...]:
        """Begin as much of the wish as can be now; the slots that must wait."""
        owners = self.table.shards
        rest = [slot for slot in request.slots if owners[slot] != request.to]
        giving = {move.source for move in self._moves.values() if move.held}
        taking = {move.to for move in self._moves.values() if move.held}
        for source in sorted({owners[slot] for slot in rest}):
            behind = not self._waits and lanes[source].age_ns(now_ns) >= BACKLOG_NS
            barred = (
                source in taking or request.to in giving or (request.to in taking) or (source in giving and not behind)
            )
            if barred and not request.number:
                continue
            most = len(request.slots) if request.number else WAITING_PART if self._waits or behind else LIVE_PART
            part = self._part([slot for slot in rest if owners[slot] == source], most)
            self._fence(request, part, source, lanes, now_ns)
            rest = [slot for slot in rest if slot not in part]
            giving.add(source)
            taking.add(request.to)
        return tuple(rest)

    def _part(self, slots: list[int], most: int) -> list[int]:
        """Of these slots at most so many with symbols, and all without."""
        used = [slot for slot in slots if slot in self.used]
        left = set(used[most:])
        return [slot for slot in slots if slot not in left]

    def _fence(
        self, request: MoveRequest, slots: list[int], source: int, lanes: Mapping[int, Lane], now_ns: int
    ) -> None:
        number, to = request.number or self.number + 1, request.to
        self.number = max(self.number, number)
        request.outcome.under_way += 1
        holding = None if self._waits else HeldItems(lanes[to].config.capacity)
        move = Move(number, frozenset(slots), source, to, self._mark_ns(to), now_ns, request.outcome, holding)
        self._moves[number] = move
        lanes[source].put(Release(number, slots, to))
        if holding is not None:
            self._by_slot |= dict.fromkeys(slots, holding)
            self.version += 1

    def _mark_ns(self, shard: int) -> int:
        """The last mark that the shard has had, or has before it in its lane."""
        return max(self.reached_ns, self._marks.get(shard, 0))

    def _adopt(self, move: Move, state: bytes, lanes: Mapping[int, Lane], now_ns: int) -> None:
        lane = lanes[move.to]
        holding = move.holding or HeldItems(0)
        reached_ns = state_mark_ns(state)
        begin: list[Item] = [Mark(max(move.mark_ns, reached_ns), now_ns)]
        if reached_ns < move.mark_ns:
            begin.insert(0, GapItem(reached_ns, move.mark_ns + SECOND_NS - 1, BEHIND))
        lane.put(Adopt(move.number, sorted(move.slots), state, encode_items([*begin, *holding.items])))
        lane.count_adopted(holding.counts)
        move.state = move.holding = None
        move.held = False
        for slot in move.slots:
            self._by_slot.pop(slot, None)
        self.table = self.table.moved(move.slots, move.to)
        self.version += 1

    def _follow(self, move: Move, ack: Ack, lanes: Mapping[int, Lane], now_ns: int) -> None:
        seq = lanes[move.to].adopted_in(move.number)
        if seq is None:
            return
        if not move.applied and ack.seq >= seq:
            move.applied = True
            self._count(move, now_ns)
        if ack.durable_seq >= seq:
            del self._moves[move.number]
            lanes[move.source].put(Settle(move.number))

    def _count(self, move: Move, now_ns: int) -> None:
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
                f"{outcome.slots} slots went to shard {move.to} in {outcome.moves} moves, the longest in {longest}"
            )
            return
        slots = f"slot {min(move.slots)}" if outcome.slots == 1 else f"{outcome.slots} slots"
        self._notes.add(f"move {move.number}: {slots} from shard {move.source} to shard {move.to} in {longest}")
