"""All lanes of one producer, and the links that carry their batches.

Tests: tests/desk/producer/test_loop.py
"""

from collections.abc import Callable, Iterable, Iterator
from copy import copy

from desk.flow import Lane, LaneConfig
from desk.flow.lane_waits import LaneWait
from desk.model.batch import LaneTotals, ShardPosition
from desk.model.items import Item, Mark
from desk.ports import AckWait, Clock, ShardLinks, Wait, Waits
from desk.producer.batch_traces import BatchTraces
from desk.telemetry.hop_meter import HopMeter, Part


class Lanes:
    """The open lanes by shard; `closed` has the totals of closed lanes.

    `quiet` lanes are about to close: they get no marks, so that all of their items can become durable.
    `sent` counts batches.
    """

    def __init__(
        self,
        config: LaneConfig,
        links: ShardLinks,
        clock: Clock,
        traces: BatchTraces | None = None,
        hops: HopMeter | None = None,
    ) -> None:
        self.config = config
        self.by_shard: dict[int, Lane] = {}
        self.closed: dict[int, LaneTotals] = {}
        self.quiet: set[int] = set()
        self.sent = 0
        self._links = links
        self._clock = clock
        self._traces = traces or BatchTraces()
        self._hops = hops or HopMeter()

    def __iter__(self) -> Iterator[Lane]:
        return iter(self.by_shard.values())

    def __contains__(self, shard: int) -> bool:
        return shard in self.by_shard

    def __getitem__(self, shard: int) -> Lane:
        return self.by_shard[shard]

    @property
    def idle(self) -> bool:
        """Whether nothing waits, is in flight or has to be replayed, and every shard is up."""
        return all(lane.idle for lane in self)

    def open(self, position: ShardPosition, totals: LaneTotals | None) -> Lane:
        """Open a lane to a shard at this position. It counts from `totals`, from 0 with None."""
        here = position.source_epoch == self.config.epoch
        lane = Lane(position.shard, self.config, totals=totals, seq=position.seq if here else 0)
        self.by_shard[position.shard] = lane
        self.closed.pop(position.shard, None)
        return lane

    def close(self, shard: int) -> None:
        """Close an idle lane, and keep its totals."""
        self.closed[shard] = self.by_shard.pop(shard).totals()
        self.quiet.discard(shard)

    def put(self, item: Item) -> None:
        """Put the item into every lane."""
        for lane in self:
            lane.put(item)

    def mark(self, second: Mark) -> None:
        """Put a copy of the mark into every lane that is not quiet; each lane adds its own age to it."""
        for lane in self:
            if lane.shard not in self.quiet:
                lane.put(copy(second))

    def send(self, *, hurry: bool = False, full_only: bool = False, want_reply: bool = False) -> bool:
        """Cut and send batches while windows are open. Return whether any was sent."""
        before = self.sent
        for lane in self:
            now_ns = self._clock.wall_ns()
            while (batch := lane.cut(now_ns, hurry=hurry, full_only=full_only, want_reply=want_reply)) is not None:
                self._links.send(lane.shard, batch)
                self.sent += 1
                if lane.traced is not None:
                    self._traces.sent(lane.shard, lane.traced, now_ns)
                if lane.waited is not None:
                    self._note(lane.waited, now_ns)
                now_ns = self._clock.wall_ns()
                self._hops.point(now_ns)
        return self.sent > before

    def _note(self, waited: LaneWait, cut_ns: int) -> None:
        known: dict[Part, int] = {"backpressure": waited.backpressure_ns, "linger": waited.linger_ns}
        self._hops.note("lane", waited.oldest_ns, cut_ns, cut_ns - waited.oldest_ns, known)

    def flush(self, *, want_reply: bool = False) -> Waits:
        """Send everything and wait until it is acknowledged."""
        while not self.idle:
            self.send(hurry=True, want_reply=want_reply)
            yield Wait(AckWait.ALL)

    def request_checkpoints(self, lanes: Iterable[Lane]) -> None:
        """Request a checkpoint of every lane with nothing in flight; the ack says what is durable."""
        for lane in lanes:
            if (
                not lane.in_flight
                and (batch := lane.request_checkpoint(self._clock.wall_ns(), checkpoint=True)) is not None
            ):
                self._links.send(lane.shard, batch)

    def checkpoint_until(self, durable: Callable[[Lane], bool]) -> Waits:
        """Request checkpoints until `durable` is true of every lane."""
        while waiting := [lane for lane in self if not durable(lane)]:
            self.request_checkpoints(waiting)
            self.send(hurry=True)
            yield Wait(AckWait.ALL)
