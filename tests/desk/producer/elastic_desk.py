"""A crash simulation whose shards join and leave. A shard that left sleeps; the keeper has its checkpoint."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from crashing_desk import Consumer, CrashSimulation, Death, Delays, DeskSetup, Move
from pipeline_parts import START_NS

from desk.flow.routing_table import SLOTS
from desk.model.commands import AddShard, MoveSlots, RemoveShard
from desk.model.units import SECOND_NS
from desk.producer.loop import ProducerLoop


class ShardCountAt(NamedTuple):
    """From this second of the session on, the desk should have that many shards."""

    second: int
    shards: int


class ElasticSimulation(CrashSimulation):
    """Acts as the supervisor: creates shards, empties shards that should leave, and ends shards whose lane is closed.

    It starts with `desk.shards` shards, then keeps the lowest numbers. A producer's successor gets all commands again.
    """

    def __init__(
        self,
        desk: DeskSetup,
        schedule: Iterable[ShardCountAt],
        deaths: Iterable[Death] = (),
        moves: Iterable[Move] = (),
        delays: Delays | None = None,
        stop_at: int = 0,
    ) -> None:
        self.joined = self.left = 0
        self._schedule = deque(sorted(schedule))
        self._target = desk.shards
        super().__init__(desk, deaths, moves, delays, stop_at)

    def _move(self) -> None:
        second = (self.loop.session_ns - START_NS) // SECOND_NS
        while self._schedule and self._schedule[0].second <= second:
            self._target = self._schedule.popleft().shards
        for number in range(self._target):
            if number not in self.consumers:
                self.asleep.pop(number, None)
                self.consumers[number] = Consumer(self, number)
                self.joined += 1
            if number not in self.loop.lanes:
                self.mailbox.post(AddShard(number))
        for number in sorted(set(self.consumers) - set(range(self._target))):
            self._remove(self.loop, number)
        super()._move()

    def _remove(self, loop: ProducerLoop, number: int) -> None:
        if number not in loop.lanes and number not in self._restart_at:
            self.asleep[number] = self.consumers.pop(number).shard
            self.left += 1
            return
        if not loop.moves.has_requests:
            slots = [slot for slot in range(SLOTS) if loop.moves.table.shards[slot] == number]
            if slots:
                self.mailbox.post(MoveSlots(slots, 0))
        self.mailbox.post(RemoveShard(number))
