"""Slots on their way from one shard to another: fence, hand over, adopt, settle."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from desk.consumer.engine.snapshot import mark_of
from desk.flow import Lane
from desk.flow.routing_table import SLOTS, RoutingTable, slot_of
from desk.model.batch import Ack, Position
from desk.model.items import Adopt, Gap, Item, Release, Second, Settled, encode_items
from desk.model.units import MS_NS, SECOND_NS
from desk.producer.held_items import Holding
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
class Tally:
    """What came of a wish, which may take several moves: it is told once, when the last of them is applied."""

    under_way: int = 0
    waiting: bool = True
    moves: int = 0
    slots: int = 0
    longest_ns: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """These slots shall belong to that shard. `number` is that of a move begun by a dead producer; else 0."""

    slots: tuple[int, ...]
    to: int
    number: int = 0
    tally: Tally = field(default_factory=Tally)


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
    tally: Tally
    holding: Holding | None
    state: bytes | None = None
    released_seq: int = 0
    held: bool = True
    applied: bool = False


class Moves:
    """All moves of a session.

    `table` is the one in force; `version` rises whenever any symbol has another route. `reached_ns` is the last mark.
    `used` are the slots that have symbols. Once it is `over`, because a dead producer has closed a shard, no move
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
        self.over = False
        self.pauses = Histogram()
        self._waits = waits
        self._notes = notes
        self._asked: deque[Wish] = deque()
        self._wishes: deque[Wish] = deque()
        self._moves: dict[int, Move] = {}
        self._by_slot: dict[int, Holding] = {}
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
            or any(wish.to == shard for wish in self._wishes)
        )

    @property
    def wished(self) -> bool:
        """Whether there is anything to begin."""
        return bool(self._wishes or self._asked)

    def take_in(self) -> None:
        """Take in what was wished from elsewhere: from now on it counts."""
        while self._asked:
            self._wishes.append(self._asked.popleft())

    def wish(self, slots: Iterable[int], to: int) -> None:
        """Ask for a move; it begins when `begin` is next called. May be called from another thread."""
        self._asked.append(Wish(tuple(sorted(set(slots))), to))

    def holding(self, symbol: str) -> Holding | None:
        """Where the symbol's items go while they are held."""
        return self._by_slot.get(slot_of(symbol)) if self._by_slot else None

    def begin(self, lanes: Mapping[int, Lane], mark_ns: int, now_ns: int) -> bool:
        """Put the fences of wished moves into the lanes; whether there was any.

        What a dead producer's shards have gone past does not come again: until `mark_ns` has reached it, nothing moves.
        """
        if mark_ns < max(self._marks.values(), default=0):
            return False
        if self.over:
            self.give_up_wishes()
        before = len(self._moves)
        for _ in range(len(self._wishes)):
            wish = self._wishes.popleft()
            if wish.to not in lanes or not 0 <= min(wish.slots, default=0) <= max(wish.slots, default=0) < SLOTS:
                self._notes.add(
                    f"no move of slots {list(wish.slots)} to shard {wish.to}: there is no such shard or slot"
                )
                continue
            rest = self._begin_parts(wish, lanes, now_ns)
            wish.tally.waiting = bool(rest)
            if rest:
                self._wishes.append(Wish(rest, wish.to, wish.number, wish.tally))
        return len(self._moves) > before

    def give_up_wishes(self) -> None:
        """Forget what is wished and not begun, but for what a dead producer had begun."""
        self.take_in()
        self._wishes = deque(wish for wish in self._wishes if wish.number)

    def mark(self, second: Second) -> None:
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

    def on_back(self, position: Position, lanes: Mapping[int, Lane]) -> None:
        """Take what a shard's successor holds for moves under way: the ack that brought it may have been lost."""
        for number, held in position.released.items():
            self._take(number, held.state, lanes)

    def take_up(self, positions: Iterable[Position], lanes: Mapping[int, Lane], now_ns: int) -> None:
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
                lanes[source].put(Settled(number))
            self.table = self.table.moved(slots, to)
        for number, release in sorted(released.items()):
            newest = max((other for other, (slots, _) in adopted.items() if set(slots) & set(release.slots)), default=0)
            if newest < number:
                self._again(Wish(tuple(release.slots), release.to, number), lanes, now_ns)
        self.version += 1

    def _take(self, number: int, state: bytes, lanes: Mapping[int, Lane]) -> None:
        move = self._moves.get(number)
        if move is not None and move.held:
            move.state, move.released_seq = state, lanes[move.source].filled_seq

    def _again(self, wish: Wish, lanes: Mapping[int, Lane], now_ns: int) -> None:
        """Begin a dead producer's move again: at once where time does not wait for shards."""
        if self._waits:
            self._wishes.append(wish)
        else:
            self._begin_parts(wish, lanes, now_ns)

    def _begin_parts(self, wish: Wish, lanes: Mapping[int, Lane], now_ns: int) -> tuple[int, ...]:
        """Begin as much of the wish as can be now; the slots that must wait."""
        owners = self.table.shards
        rest = [slot for slot in wish.slots if owners[slot] != wish.to]
        giving = {move.source for move in self._moves.values() if move.held}
        taking = {move.to for move in self._moves.values() if move.held}
        for source in sorted({owners[slot] for slot in rest}):
            behind = not self._waits and lanes[source].age_ns(now_ns) >= BACKLOG_NS
            barred = source in taking or wish.to in giving or (wish.to in taking) or (source in giving and not behind)
            if barred and not wish.number:
                continue
            most = len(wish.slots) if wish.number else WAITING_PART if self._waits or behind else LIVE_PART
            part = self._part([slot for slot in rest if owners[slot] == source], most)
            self._fence(wish, part, source, lanes, now_ns)
            rest = [slot for slot in rest if slot not in part]
            giving.add(source)
            taking.add(wish.to)
        return tuple(rest)

    def _part(self, slots: list[int], most: int) -> list[int]:
        """Of these slots at most so many with symbols, and all without."""
        used = [slot for slot in slots if slot in self.used]
        left = set(used[most:])
        return [slot for slot in slots if slot not in left]

    def _fence(self, wish: Wish, slots: list[int], source: int, lanes: Mapping[int, Lane], now_ns: int) -> None:
        number, to = wish.number or self.number + 1, wish.to
        self.number = max(self.number, number)
        wish.tally.under_way += 1
        holding = None if self._waits else Holding(lanes[to].config.capacity)
        move = Move(number, frozenset(slots), source, to, self._mark_ns(to), now_ns, wish.tally, holding)
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
        holding = move.holding or Holding(0)
        reached_ns = mark_of(state)
        begin: list[Item] = [Second(max(move.mark_ns, reached_ns), now_ns)]
        if reached_ns < move.mark_ns:
            begin.insert(0, Gap(reached_ns, move.mark_ns + SECOND_NS - 1, BEHIND))
        lane.put(Adopt(move.number, sorted(move.slots), state, encode_items([*begin, *holding.items])))
        lane.carry(holding.counts)
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
            lanes[move.source].put(Settled(move.number))

    def _count(self, move: Move, now_ns: int) -> None:
        self.done += 1
        pause_ns = max(now_ns - move.fenced_ns, 0)
        self.pauses.add_one(pause_ns)
        tally = move.tally
        tally.under_way -= 1
        tally.moves += 1
        tally.slots += len(move.slots)
        tally.longest_ns = max(tally.longest_ns, pause_ns)
        if tally.under_way or tally.waiting:
            return
        longest = f"{tally.longest_ns / MS_NS:,.1f} ms"
        if tally.moves > 1:
            self._notes.add(
                f"{tally.slots} slots went to shard {move.to} in {tally.moves} moves, the longest in {longest}"
            )
            return
        slots = f"slot {min(move.slots)}" if tally.slots == 1 else f"{tally.slots} slots"
        self._notes.add(f"move {move.number}: {slots} from shard {move.source} to shard {move.to} in {longest}")
