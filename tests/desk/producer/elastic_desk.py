"""A mortal desk whose shards come and go: who is not needed sleeps, its checkpoint with the keeper."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from crashing_desk import Consumer, CrashingDesk, Death, Delays, Move, World
from pipeline_parts import START_NS

from desk.flow.routing_table import SLOTS
from desk.model.commands import AddShard, MoveSlots, RemoveShard
from desk.model.units import SECOND_NS
from desk.producer.loop import ProducerLoop


class ShardCountAt(NamedTuple):
    """From this second of the session on, so many shards shall be there."""

    second: int
    shards: int


class ElasticWorld(World):
    """Does what a supervisor does: makes shards, empties those that shall go, ends those whose lane is closed.

    It begins with `desk.shards`, and goes on with the first so many. A producer's successor is told everything again.
    """

    def __init__(
        self,
        desk: CrashingDesk,
        staff: Iterable[ShardCountAt],
        deaths: Iterable[Death] = (),
        moves: Iterable[Move] = (),
        delays: Delays | None = None,
        stop_at: int = 0,
    ) -> None:
        self.joined = self.left = 0
        self._staff = deque(sorted(staff))
        self._wanted = desk.shards
        super().__init__(desk, deaths, moves, delays, stop_at)

    def _move(self) -> None:
        second = (self.loop.session_ns - START_NS) // SECOND_NS
        while self._staff and self._staff[0].second <= second:
            self._wanted = self._staff.popleft().shards
        for number in range(self._wanted):
            if number not in self.consumers:
                self.asleep.pop(number, None)
                self.consumers[number] = Consumer(self, number)
                self.joined += 1
            if number not in self.loop.lanes:
                self.mailbox.post(AddShard(number))
        for number in sorted(set(self.consumers) - set(range(self._wanted))):
            self._send_away(self.loop, number)
        super()._move()

    def _send_away(self, loop: ProducerLoop, number: int) -> None:
        if number not in loop.lanes and number not in self._revive_at:
            self.asleep[number] = self.consumers.pop(number).shard
            self.left += 1
            return
        if not loop.moves.has_requests:
            slots = [slot for slot in range(SLOTS) if loop.moves.table.shards[slot] == number]
            if slots:
                self.mailbox.post(MoveSlots(slots, 0))
        self.mailbox.post(RemoveShard(number))
