"""One consumer shard: applies batches to its engine, acknowledges them, and sends checkpoints to the keeper."""

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec
import numpy as np

from desk.consumer.engine import Engine, Outcome, snapshot
from desk.consumer.lockstep_replies import LockstepReplies, LockstepState
from desk.consumer.shard_stats import ShardStats
from desk.consumer.shard_traces import ShardTraces
from desk.consumer.slot_meter import SlotMeter
from desk.model.bars import Bar
from desk.model.batch import Ack, Batch, LaneTotals, ShardPosition, decode_batch
from desk.model.checkpoint import Checkpoint, encode_checkpoint, pack_bars, pack_logged_trades, unpack_logged_trades
from desk.model.items import Adopt, Release, Stop
from desk.model.orders import Request
from desk.model.spans import SpanContext
from desk.model.ticks import Quote, Trade
from desk.ports import CheckpointWriter, Clock, ShardBroker
from desk.telemetry.histogram import Histogram, HistogramSnapshot
from desk.telemetry.hop_meter import HopMeter, Part
from desk.telemetry.span_recorder import NO_SPANS, SpanRecorder

MAX_UNCONFIRMED: Final = 8
"""The most checkpoints that may be unconfirmed by the keeper; while there are more, the next one is postponed."""
WORKED: Final = 64
"""More batches than are sent before their acks: the window of a lane."""


class ShardConfig(msgspec.Struct, frozen=True):
    """Identity and settings of a shard.

    `lockstep`: requests to the broker wait for a batch with `want_reply`. `live`: session time is real time, so that
    data latency can be measured; it excludes `delay_ns`, the feed's delay by design. A live batch whose oldest tick is
    older than `trace_older_ns` is traced in any case (None: not).
    """

    shard: int
    epoch: int
    checkpoint_ns: int
    lockstep: bool = False
    live: bool = False
    delay_ns: int = 0
    trace_older_ns: int | None = None


class _Totals(msgspec.Struct, array_like=True):
    """The part of a checkpoint that belongs to the shard, not to its engine."""

    batches: int
    busy_ns: int
    lane: LaneTotals
    time_in_queue: HistogramSnapshot
    in_lane: HistogramSnapshot
    on_link: HistogramSnapshot
    data_latency: HistogramSnapshot
    asked: LockstepState
    restored: int
    unanswered: list[Request] = []


_encode_totals = msgspec.msgpack.Encoder().encode
_decode_totals = msgspec.msgpack.Decoder(_Totals).decode


class _Sent(NamedTuple):
    """A checkpoint sent to the keeper, with the position that becomes durable when the keeper confirms it."""

    number: int
    source_epoch: int
    seq: int
    mark_ns: int


class Shard:
    """Receives one batch at a time, in order; a batch in parts is acknowledged after its last part.

    Requests to the broker travel with the ack in lockstep, else directly through the broker port. `pending` is the
    outcome of applied batches that is not yet handed over to the broker and the keeper. A checkpoint is taken after a
    whole batch and before its request is handed over, so that a restarted shard repeats a request that may be lost.
    Starting and recovering are the same: a fresh shard restores its last checkpoint, if any.
    """

    def __init__(
        self,
        config: ShardConfig,
        engine: Engine,
        clock: Clock,
        keeper: CheckpointWriter,
        broker: ShardBroker,
        spans: SpanRecorder = NO_SPANS,
        hops: HopMeter | None = None,
    ) -> None:
        self.config = config
        self.engine = engine
        self._clock = clock
        self._keeper = keeper
        self._broker = broker
        self._traces = ShardTraces(config.shard, spans, config.delay_ns, config.trace_older_ns if config.live else None)
        self._source_epoch = 0
        self._seq = 0
        self._batches = 0
        self._busy_ns = 0
        self._restored = 0
        self._lane = LaneTotals()
        self._replies = LockstepReplies()
        self.pending = Outcome()
        self._unsaved = False
        self._checkpoints = 0
        self._checkpoint_wall_ns = clock.wall_ns()
        self._checkpoint_mark_ns = engine.mark_ns
        self._checkpoint_closed = False
        self._sent: deque[_Sent] = deque()
        self._durable = _Sent(0, 0, 0, 0)
        self._time_in_queue = Histogram()
        self._in_lane = Histogram()
        self._on_link = Histogram()
        self._data_latency = Histogram()
        self._slot_meter = SlotMeter()
        self._hops = hops or HopMeter()
        self._worked: deque[tuple[int, int]] = deque(maxlen=WORKED)
        self._oldest_ns: int | None = None

    def restore(self, checkpoint: Checkpoint, bars: list[Bar]) -> None:
        """Restore a fresh shard from this checkpoint.

        `bars` are the keeper's final closed minutes of the symbols in `checkpoint_symbols`, in any order;
        `checkpoint.trades` are all its logged trades.
        """
        self.pending = self.engine.restore(checkpoint.state, bars, unpack_logged_trades(checkpoint.trades))
        totals = _decode_totals(checkpoint.totals)
        self._source_epoch, self._seq = checkpoint.source_epoch, checkpoint.seq
        self._batches, self._busy_ns, self._lane = totals.batches, totals.busy_ns, totals.lane
        self._restored = totals.restored + 1
        if self.config.lockstep:
            self._replies.restore(totals.asked, self.engine, self.pending)
        for request in totals.unanswered:
            self._broker.submit(request)
        self._checkpoints = checkpoint.number
        self._checkpoint_mark_ns = self.engine.mark_ns
        self._checkpoint_closed = self.engine.closed
        self._durable = _Sent(checkpoint.number, checkpoint.source_epoch, checkpoint.seq, checkpoint.session_ns)
        self._time_in_queue = Histogram.of(totals.time_in_queue)
        self._in_lane = Histogram.of(totals.in_lane)
        self._on_link = Histogram.of(totals.on_link)
        self._data_latency = Histogram.of(totals.data_latency)

    def receive(self, payload: bytes) -> Ack:
        """Apply one batch or part of one; refuse one of an older source epoch, ignore one already applied.

        The ack of a part that is not the last names the last whole batch.
        """
        began_ns = self._clock.wall_ns()
        self._hops.point(began_ns)
        batch = decode_batch(payload)
        if batch.epoch < self._source_epoch:
            return self._ack(batch.seq, refused=True)
        if batch.epoch > self._source_epoch:
            self._source_epoch = batch.epoch
            self._seq = 0
            self._unsaved = True
            if self.config.lockstep:
                self._replies.begin(self.engine, self.pending)
        if batch.seq > self._seq:
            self._apply(batch, began_ns)
        request = None if batch.more else self._request(batch)
        ended_ns = self._clock.wall_ns()
        self._busy_ns += ended_ns - began_ns
        self._worked.append((began_ns, ended_ns))
        self._hops.point(ended_ns)
        if self._oldest_ns is not None:
            self._hops.note("apply", began_ns, ended_ns, ended_ns - self._oldest_ns)
            self._oldest_ns = None
        return self._ack(min(batch.seq, self._seq), request=request, released=self._released(batch))

    def stop(self, stops: Iterable[Stop]) -> None:
        """Stop these strategies."""
        self.pending = self.engine.apply(stops, self.pending)

    def position(self) -> ShardPosition:
        """The shard's position, for a restarted producer."""
        symbols = self.engine.symbols.values()
        return ShardPosition(
            self.config.shard,
            self.config.epoch,
            self._source_epoch,
            self._seq,
            self.engine.mark_ns,
            self._confirmed().mark_ns,
            self._lane,
            watched={state.symbol: list(state.scanners) for state in symbols if state.watched},
            released=self.engine.released,
            adopted=self.engine.adopted,
            closed=self.engine.closed,
            stops=sum(len(state.stops) for state in symbols),
            ordinals=self.engine.ordinals,
        )

    def stats(self) -> ShardStats:
        """The shard's running totals."""
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
            self._restored,
            dict(self._slot_meter.ticks),
            self._clock.wall_ns(),
            engine.times.snapshots(),
        )

    def _apply(self, batch: Batch, began_ns: int) -> None:
        self._meter(batch, began_ns)
        if self.config.lockstep and any(type(item) is Adopt for item in batch.items):
            self._replies.put_by(self.engine, self.pending)
        if parent := self._traces.begin(batch, began_ns):
            self._apply_traced(batch, parent, began_ns)
        else:
            self.pending = self.engine.apply(batch.items, self.pending)
        self.engine.times.trim()
        self._unsaved = self._unsaved or bool(batch.items)
        if batch.more:
            return
        self._seq = batch.seq
        self._batches += 1
        self._lane = batch.totals
        self._checkpoint(self._clock.wall_ns(), wanted=batch.checkpoint)

    def _apply_traced(self, batch: Batch, parent: SpanContext, began_ns: int) -> None:
        span = self._traces.new_span(parent)
        calls = self.engine.trace(self._traces.spans, span, began_ns)
        try:
            self.pending = self.engine.apply(batch.items, self.pending)
        finally:
            self.engine.end_trace()
            self._traces.applied(batch, parent, span, began_ns, self._clock.wall_ns())
        if calls.first_intent is not None and self.pending.traceparent is None:
            self.pending.traceparent = calls.first_intent.traceparent

    def _request(self, batch: Batch) -> Request | None:
        """Hand over the strategies' request: with the ack, or directly to the broker.

        After the close it is sent even if empty of intents: its prices value the positions still held.
        """
        if self.config.lockstep:
            return self._replies.take(self.engine, self.pending, batch.mark_ns) if batch.want_reply else None
        request = self.pending.take_request(self.engine.prices(), self.engine.mark_ns)
        if request or (self.engine.closed and request.prices):
            self._broker.submit(request)
        return None

    def _released(self, batch: Batch) -> dict[int, bytes] | None:
        """The states of the moves that this batch released; a repeated batch gets them again until they are settled."""
        held = self.engine.released
        if not held:
            return None
        asked = [item.move for item in batch.items if type(item) is Release]
        return {move: held[move].state for move in asked if move in held} or None

    def _ack(
        self,
        seq: int,
        *,
        request: Request | None = None,
        released: dict[int, bytes] | None = None,
        refused: bool = False,
    ) -> Ack:
        durable = self._confirmed()
        return Ack(
            self.config.shard,
            self.config.epoch,
            seq,
            self.engine.mark_ns,
            self._busy_ns,
            refused,
            request,
            durable.seq if durable.source_epoch == self._source_epoch else 0,
            durable.mark_ns,
            released,
        )

    def _confirmed(self) -> _Sent:
        """The last checkpoint that the keeper confirmed."""
        if self._sent:
            number = self._keeper.confirmed()
            while self._sent and self._sent[0].number <= number:
                self._durable = self._sent.popleft()
        return self._durable

    def _meter(self, batch: Batch, began_ns: int) -> None:
        received = [item.received_ns for item in batch.items if type(item) is Trade or type(item) is Quote]
        if not received:
            return
        self._slot_meter.count(batch.items)
        received_ns = np.array(received, np.int64)
        self._time_in_queue.add(began_ns - received_ns)
        self._in_lane.add(batch.sent_ns - received_ns)
        self._on_link.add_one(max(began_ns - batch.sent_ns, 0), len(received))
        self._oldest_ns = min(received)
        known: dict[Part, int] = {"busy": self._busy_since(batch.sent_ns)}
        self._hops.note("link", batch.sent_ns, began_ns, began_ns - self._oldest_ns, known)
        if self.config.live:
            venue = [item.ts_ns for item in batch.items if type(item) is Trade or type(item) is Quote]
            self._data_latency.add(began_ns - self.config.delay_ns - np.array(venue, np.int64))

    def _busy_since(self, wall_ns: int) -> int:
        """How long earlier batches were applied since then."""
        busy_ns = 0
        for began_ns, ended_ns in reversed(self._worked):
            if ended_ns <= wall_ns:
                break
            busy_ns += ended_ns - max(began_ns, wall_ns)
        return busy_ns

    def _checkpoint(self, now_ns: int, *, wanted: bool) -> None:
        """Send a checkpoint at the first mark after it is due, when the batch wants one, and at the close.

        While the keeper is behind, only the wanted ones and the last one are sent.
        """
        engine = self.engine
        due = engine.mark_ns > self._checkpoint_mark_ns and (
            now_ns - self._checkpoint_wall_ns >= self.config.checkpoint_ns
        )
        if due and len(self._sent) >= MAX_UNCONFIRMED:
            self._confirmed()
            due = len(self._sent) < MAX_UNCONFIRMED
        ending = engine.closed and not self._checkpoint_closed
        if not due and not ending and not (wanted and self._unsaved):
            return
        self._unsaved = False
        self._checkpoint_wall_ns = now_ns
        self._checkpoint_mark_ns = engine.mark_ns
        self._checkpoint_closed = engine.closed
        self._checkpoints += 1
        taken = engine.checkpoint(self.pending)
        checkpoint = Checkpoint(
            self.config.shard,
            self.config.epoch,
            self._checkpoints,
            engine.mark_ns,
            self._seq,
            pack_bars(self.pending.take_bars()),
            taken.state,
            engine.closed,
            self._source_epoch,
            _encode_totals(self._totals()),
            engine.last_move,
            pack_logged_trades(taken.trades),
            engine.trades_from_ns,
            engine.session_ns,
        )
        self._sent.append(_Sent(checkpoint.number, self._source_epoch, self._seq, engine.mark_ns))
        self._keeper.save(checkpoint.number, encode_checkpoint(checkpoint))

    def _totals(self) -> _Totals:
        return _Totals(
            self._batches,
            self._busy_ns,
            self._lane,
            self._time_in_queue.snapshot(),
            self._in_lane.snapshot(),
            self._on_link.snapshot(),
            self._data_latency.snapshot(),
            self._replies.asked,
            self._restored,
            [] if self.config.lockstep else self._broker.unanswered(),
        )


def checkpoint_symbols(checkpoint: Checkpoint) -> list[str]:
    """The symbols of a shard's checkpoint: those whose closed minutes `Shard.restore` needs."""
    return snapshot.symbols_of(checkpoint.state)
