"""One consumer shard: batches in, acks out; an engine within, checkpoints on the side."""

import msgspec
import numpy as np

from desk.engine import Engine
from desk.engine.audit import Audit
from desk.meters import Histogram, Snapshot
from desk.model.batch import Ack, Batch, LaneTotals, decode_batch
from desk.model.checkpoint import Checkpoint, encode_checkpoint
from desk.model.orders import Request
from desk.model.ticks import Quote, Trade
from desk.ports import BrokerDoor, Clock, KeeperDoor


class ShardConfig(msgspec.Struct, frozen=True):
    """Who this shard is.

    `lockstep`: what it asks for waits for a batch that wants a reply. `live`: session time is real time, so
    that data latency can be told.
    """

    shard: int
    epoch: int
    checkpoint_ns: int
    lockstep: bool = False
    live: bool = False


class ShardStats(msgspec.Struct, array_like=True):
    """What a shard has done so far: running totals as they were when asked for, latencies in ns."""

    shard: int
    mark_ns: int
    symbols: int
    batches: int
    busy_ns: int
    lane: LaneTotals
    audit: Audit
    time_in_queue: Snapshot
    in_lane: Snapshot
    on_link: Snapshot
    data_latency: Snapshot
    prices: dict[str, float]


class Shard:
    """Receives one batch at a time, in order.

    What it asks of the broker goes with the ack in lockstep, else straight through the broker door.
    """

    def __init__(
        self, config: ShardConfig, engine: Engine, clock: Clock, keeper: KeeperDoor, broker: BrokerDoor
    ) -> None:
        self.config = config
        self.engine = engine
        self._clock = clock
        self._keeper = keeper
        self._broker = broker
        self._source_epoch = 0
        self._seq = 0
        self._batches = 0
        self._busy_ns = 0
        self._lane = LaneTotals()
        self._checkpoints = 0
        self._checkpoint_wall_ns = clock.wall_ns()
        self._checkpoint_mark_ns = engine.mark_ns
        self._checkpoint_closed = False
        self._time_in_queue = Histogram()
        self._in_lane = Histogram()
        self._on_link = Histogram()
        self._data_latency = Histogram()

    def receive(self, payload: bytes) -> Ack:
        """Apply one batch. One from an older source, or one applied already, changes nothing."""
        began_ns = self._clock.wall_ns()
        batch = decode_batch(payload)
        if batch.epoch < self._source_epoch:
            return self._ack(batch, refused=True)
        if batch.epoch > self._source_epoch:
            self._source_epoch = batch.epoch
            self._seq = 0
        if batch.seq > self._seq:
            self._seq = batch.seq
            self._apply(batch, began_ns)
        request = self._request(batch.want_reply)
        self._busy_ns += self._clock.wall_ns() - began_ns
        return self._ack(batch, request=request)

    def stats(self) -> ShardStats:
        """What this shard has done so far."""
        engine = self.engine
        return ShardStats(
            self.config.shard,
            engine.mark_ns,
            sum(state.watched for state in engine.symbols.values()),
            self._batches,
            self._busy_ns,
            self._lane,
            engine.audit.copy(),
            self._time_in_queue.snapshot(),
            self._in_lane.snapshot(),
            self._on_link.snapshot(),
            self._data_latency.snapshot(),
            engine.prices(),
        )

    def _apply(self, batch: Batch, began_ns: int) -> None:
        self._batches += 1
        self._lane = batch.totals
        self._meter(batch, began_ns)
        self.engine.apply(batch.items)
        self._checkpoint(self._clock.wall_ns())

    def _request(self, want_reply: bool) -> Request | None:
        """Hand over what the engine asks for: with the ack, or straight to the broker.

        At the end the last prices go, whatever is asked for: what is still held is worth that much.
        """
        if self.config.lockstep:
            return self.engine.take_request() if want_reply else None
        request = self.engine.take_request()
        if request or (self.engine.closed and request.prices):
            self._broker.submit(request)
        return None

    def _ack(self, batch: Batch, *, request: Request | None = None, refused: bool = False) -> Ack:
        audit = self.engine.audit
        return Ack(
            self.config.shard,
            self.config.epoch,
            batch.seq,
            self.engine.mark_ns,
            audit.trades,
            audit.quotes,
            self._busy_ns,
            refused,
            request,
        )

    def _meter(self, batch: Batch, began_ns: int) -> None:
        received = [item.received_ns for item in batch.items if type(item) is Trade or type(item) is Quote]
        if not received:
            return
        received_ns = np.array(received, np.int64)
        self._time_in_queue.add(began_ns - received_ns)
        self._in_lane.add(batch.sent_ns - received_ns)
        self._on_link.add_one(max(began_ns - batch.sent_ns, 0), len(received))
        if self.config.live:
            venue = [item.ts_ns for item in batch.items if type(item) is Trade or type(item) is Quote]
            self._data_latency.add(began_ns - np.array(venue, np.int64))

    def _checkpoint(self, now_ns: int) -> None:
        """Send a checkpoint after the first mark since the last one was due, and a final one at the end."""
        engine = self.engine
        due = engine.mark_ns > self._checkpoint_mark_ns and (
            now_ns - self._checkpoint_wall_ns >= self.config.checkpoint_ns
        )
        ending = engine.closed and not self._checkpoint_closed
        if not due and not ending:
            return
        self._checkpoint_wall_ns = now_ns
        self._checkpoint_mark_ns = engine.mark_ns
        self._checkpoint_closed = engine.closed
        self._checkpoints += 1
        checkpoint = Checkpoint(
            self.config.shard,
            self.config.epoch,
            self._checkpoints,
            engine.mark_ns,
            self._seq,
            engine.take_bars(),
            engine.snapshot(),
            engine.closed,
        )
        self._keeper.save(self.config.shard, encode_checkpoint(checkpoint))
