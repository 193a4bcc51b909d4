"""One shard's lane: items and acks in, batches out. A state machine without clock, socket or thread."""

from collections import deque

from desk.flow.batch_trace import BatchTrace
from desk.flow.cutter import BatchCutter
from desk.flow.held_counts import HeldCounts
from desk.flow.lane_config import LaneConfig
from desk.flow.lane_queue import LaneQueue
from desk.flow.lane_waits import NO_REFUSAL, LaneRefusals, LaneWait
from desk.flow.replay_queue import BatchSpan, ReplayQueue
from desk.flow.retained_batches import BatchHeader, RetainedBatch, RetainedBatches
from desk.flow.undelivered_items import UndeliveredItems
from desk.model.batch import Ack, LaneTotals, ShardPosition
from desk.model.errors import RunFailed
from desk.model.items import Item, Mark
from desk.model.ticks import Event
from desk.model.units import MS_NS

FIRST_STRETCH_NS = MS_NS
MAX_LINGER_NS = 16 * MS_NS


class Lane:
    """A bounded queue to one shard that adapts its batch size to the load.

    While the window is open, the lane sends what waits, in batches at least `linger_ns` apart. While it is closed,
    ticks accumulate. So batches are small under low load and large under high load. A producer that falls behind
    stretches the linger: the cost of a call does not depend on its size. `capacity` limits the ticks not yet cut into a
    batch; a cut batch never changes.

    Cut batches are retained until a confirmed checkpoint covers them. While a shard is down, its lane sends nothing.
    Its successor gets the retained batches that it has not applied, then new ones. If more than `retain_bytes` are
    retained, a lossless lane has no room; a live lane discards the oldest batches, and the shard is `unprotected`: a
    `GapItem` names the number of ticks that its successor misses. `busy_ns` is the shard's total work time, by its last
    ack. `traced` is the last batch cut, if it is traced.

    A successor of the producer counts from `totals`, which are the shard's. Its batch 1 is reserved for a `GapItem`, in
    case the shard dies and is restored behind these totals. `seq` is the last batch, durable at the shard, of an
    earlier lane of this producer.

    `waited` is how long the last batch cut has waited; None after a batch without ticks, and one that is sent again.
    """

    def __init__(self, shard: int, config: LaneConfig, totals: LaneTotals | None = None, seq: int = 0) -> None:
        self.shard = shard
        self.config = config
        self.pending = LaneQueue(config.capacity, config.write_timeout_ns, lossless=config.lossless)
        self.lagging = False
        self.linger_ns = config.linger_ns
        self.in_flight: deque[int] = deque()
        self.down = False
        self.busy_ns = 0
        self.traced: BatchTrace | None = None
        self.waited: LaneWait | None = None
        self._refusals = LaneRefusals()
        self._cutter = BatchCutter(shard, config, self.pending, totals or LaneTotals())
        self._seq = seq or (0 if totals is None else 1)
        self._retained = RetainedBatches(
            config.retain_bytes, BatchHeader(self._seq, self._cutter.totals(), 0), lossless=config.lossless
        )
        self._undelivered = UndeliveredItems()
        self._replay = ReplayQueue(self._retained)
        self._window = config.window_batches
        self._last_cut_ns = 0
        self._acked_seq = seq
        self._asked_seq = 0
        self._reply_seq = 0
        self._owes_reply = False
        self._shard_epoch = 0
        self._stops = 0

    @property
    def depth(self) -> int:
        """Ticks that wait to be cut."""
        return self.pending.ticks

    @property
    def room(self) -> int:
        """Ticks that fit before the lane is full; 0 while a lossless lane retains more than `retain_bytes`."""
        return 0 if self._retained.full else self.config.capacity - self.pending.ticks

    @property
    def idle(self) -> bool:
        """Whether the shard is up, and nothing waits, is in flight, has to be replayed or lacks its reply."""
        return not (self.pending.items or self.in_flight or self._replay or self.down or self._owes_reply)

    @property
    def window_open(self) -> bool:
        """Whether another batch may be sent."""
        return len(self.in_flight) < self._window

    @property
    def next_seq(self) -> int:
        """The number of the next batch that is cut."""
        return self._seq + 1

    @property
    def filled_seq(self) -> int:
        """The number of the last batch with items; later, empty ones need no checkpoint."""
        return self._retained.filled_seq

    @property
    def mark_ns(self) -> int:
        """The last mark put in; 0 before the first."""
        return self._cutter.mark_ns

    @mark_ns.setter
    def mark_ns(self, mark_ns: int) -> None:
        self._cutter.mark_ns = mark_ns

    @property
    def kept_bytes(self) -> int:
        """The size of the retained batches."""
        return self._retained.size_bytes

    @property
    def needs_checkpoint(self) -> bool:
        """Whether a lossless lane retains more than `retain_bytes`, and no request for a checkpoint is pending."""
        return self._retained.full and not self.down and not self._replay and self._asked_seq <= self._acked_seq

    @property
    def durable(self) -> bool:
        """Whether confirmed checkpoints cover every item that was cut."""
        return self._retained.durable

    @property
    def confirmed(self) -> bool:
        """Whether a confirmed checkpoint covers any batch of this lane."""
        return self._retained.durable_seq > 0

    @property
    def unprotected(self) -> bool:
        """Whether ticks would be lost if the shard died now."""
        return self._retained.unprotected

    @property
    def quarantined(self) -> list[tuple[Item, int]]:
        """Ticks left out because the shard died on them, each with its batch's number. The reader clears the list."""
        return self._replay.quarantined

    def offer(self, tick: Event, now_ns: int) -> None:
        """Put a tick in. A full lane makes room by class of tick; a lossless one raises OverflowError."""
        self.pending.offer(tick, now_ns)

    def put(self, item: Item) -> None:
        """Put in an item that is never dropped: a mark, an order event, a watch."""
        if type(item) is Mark:
            self._cutter.mark_ns = item.session_ns
        self.pending.append(item)

    def count_adopted(self, held: HeldCounts) -> None:
        """Count the ticks inside the last `Adopt`, and those dropped while they were held for it."""
        self._cutter.count_adopted(held)
        self.pending.trades_full += held.trades_full
        self.pending.quotes_full += held.quotes_full

    def adopted_in(self, move: int) -> int | None:
        """The number of the batch with the move's `Adopt`; None while it waits."""
        return self._cutter.adopts.get(move)

    def stretch(self, factor: float) -> None:
        """Multiply the current linger, between `linger_ns` of the plan and MAX_LINGER_NS."""
        least_ns = self.config.linger_ns
        self.linger_ns = max(least_ns, min(round(max(self.linger_ns, FIRST_STRETCH_NS) * factor), MAX_LINGER_NS))

    def can_take(self, ticks: int, *, quotes: bool) -> bool:
        """Whether this number of ticks, with or without quotes, may be appended directly to `pending.items`."""
        return self.room >= ticks and not (quotes and self.pending.is_conflating)

    def age_ns(self, now_ns: int) -> int:
        """How long the oldest waiting tick has waited."""
        oldest_ns = self.pending.oldest_received_ns
        return 0 if oldest_ns is None else max(now_ns - oldest_ns, 0)

    def conflate(self, *, on: bool) -> None:
        """Start or stop conflating quotes while the lane is not full."""
        self.pending.conflate(on=on)

    def drop_aged(self, now_ns: int) -> None:
        """Drop the trades older than the write timeout, full or not; only while quotes are conflated."""
        self.pending.drop_aged(now_ns)

    def shed(self, symbol: str, minute_ns: int, trades: int) -> None:
        """Count trades of one symbol and minute as dropped that were too old when they arrived."""
        self.pending.shed(symbol, minute_ns, trades)

    def cut(
        self, now_ns: int, *, hurry: bool = False, full_only: bool = False, want_reply: bool = False
    ) -> bytes | None:
        """Cut the next batch, encoded, if the window is open and something waits; None otherwise.

        `hurry` ignores `linger_ns`. `full_only` waits for a full batch, which is cheapest per tick. `want_reply` asks
        for the shard's requests in the ack. Batches to replay come first, unchanged; then a lost reply is requested
        again.
        """
        self.traced = None
        self.waited = None
        if self._replay:
            return self._send_again()
        if self._owes_reply and self.window_open:
            return self._ask_again(now_ns)
        items = self.pending.items
        if not items:
            return None
        if not self.window_open:
            self._refusals.note("backpressure", now_ns)
            return None
        per_batch = self._cutter.items_per_batch
        linger_ns = self.linger_ns if len(items) < per_batch else self.config.linger_ns
        # below 0: the clock was set back
        lingers = not hurry and 0 <= now_ns - self._last_cut_ns < linger_ns
        if lingers or (full_only and len(items) < per_batch):
            self._refusals.note("linger", now_ns)
            return None
        self._last_cut_ns = now_ns
        self.waited = self._wait_until(now_ns)
        batch = self._cutter.cut(self._seq + 1, now_ns, want_reply=want_reply)
        self.traced = self._cutter.trace
        if want_reply and not items:
            self._reply_seq = batch.seq
        return self._send(batch)

    def request_checkpoint(self, now_ns: int, *, checkpoint: bool = False) -> bytes | None:
        """Cut an empty batch, whose ack says what is durable; with `checkpoint` it requests a checkpoint.

        None while the window is closed or batches wait to be replayed.
        """
        if self._replay or not self.window_open:
            return None
        if checkpoint:
            self._asked_seq = self._seq + 1
        return self._send(self._cutter.empty(self._seq + 1, now_ns, checkpoint=checkpoint))

    def on_ack(self, ack: Ack) -> bool:
        """Apply an ack. Acks of one shard arrive in order, so an ack covers all batches up to its seq.

        Returns whether the ack is new: for a replayed batch that was acknowledged before, it is not. An ack for a batch
        that is already acknowledged or was never cut, or of a shard that is down, has no effect.
        """
        seq = ack.seq
        if seq > self._seq or self.down or ack.epoch < self._shard_epoch:
            return False
        self.busy_ns = ack.busy_ns
        if self._retained.durable_seq < ack.durable_seq <= self._seq:
            self._retained.confirm(ack.durable_seq)
            self._undelivered.confirm(ack.durable_seq)
        in_flight = self.in_flight
        if self._replay.parts is not None and not self._ends_parts(seq):
            return False
        while in_flight and in_flight[0] <= seq:
            in_flight.popleft()
        if 0 < self._replay.careful_until <= seq:
            self._replay.careful_until = 0
            self._widen()
        if seq <= self._acked_seq:
            return False
        self._acked_seq = seq
        return True

    def on_shard_lost(self) -> None:
        """Stop sending until the shard's successor is up. Batches in flight may or may not have been applied.

        Raises RunFailed if the shard died on an item that cannot be left out.
        """
        span = BatchSpan(self.in_flight[0], self.in_flight[-1]) if self.in_flight else BatchSpan()
        self.down = True
        self._asked_seq = 0  # the successor does not answer a request for a checkpoint to its predecessor
        self._window = 0
        self.in_flight.clear()
        self._replay.on_shard_lost(span)

    def on_shard_back(self, position: ShardPosition, now_ns: int) -> None:
        """Queue the retained batches that the shard's successor has not applied.

        Raises RunFailed if a lossless lane has released one of them because it was confirmed as durable.
        """
        if position.stops > self._stops:
            self._replay.clear_suspicion()
        self._stops = position.stops
        after = position.seq if position.source_epoch == self.config.epoch else 0
        head = self._head(after, position, now_ns)
        if head is None:
            self._retained.miss_nothing(after)
        self._replay.begin(self._retained.after(after), head)
        self._owes_reply = self._acked_seq < self._reply_seq <= after
        self._shard_epoch = position.epoch
        self.down = False
        self._widen()

    def totals(self) -> LaneTotals:
        """The ticks cut, conflated or dropped, by class; waiting ticks are not counted yet."""
        return self._cutter.totals()

    def crossed_threshold(self) -> bool:
        """Whether the lane has just exceeded `lag_threshold`; reported again only after it fell to half of it."""
        depth = self.pending.ticks
        if self.lagging:
            self.lagging = depth * 2 > self.config.lag_threshold
            return False
        self.lagging = depth > self.config.lag_threshold
        return self.lagging

    def _wait_until(self, now_ns: int) -> LaneWait | None:
        """How long the next batch has waited; None without ticks."""
        refusals, oldest_ns = self._refusals, self.pending.oldest_received_ns
        refusals.note(NO_REFUSAL, now_ns)
        waited = None if oldest_ns is None else LaneWait(oldest_ns, refusals.backpressure_ns, refusals.linger_ns)
        refusals.clear()
        return waited

    def _ask_again(self, now_ns: int) -> bytes:
        """An empty batch for the reply that was lost: the shard holds the batch that wanted it, so that is not sent."""
        self._owes_reply = False
        self._reply_seq = self._seq + 1
        return self._send(self._cutter.empty(self._reply_seq, now_ns, want_reply=True))

    def _send(self, batch: RetainedBatch) -> bytes:
        self._seq = batch.seq
        self.in_flight.append(batch.seq)
        for gone in self._retained.keep(batch):
            self._undelivered.remember(gone)
        return batch.payload

    def _send_again(self) -> bytes | None:
        if not self.window_open:
            return None
        seq, payload = self._replay.take()
        self.in_flight.append(seq)
        return payload

    def _ends_parts(self, seq: int) -> bool:
        """Take in the ack of a part; whether it was the last. Any ack is the part's: nothing else is under way.

        That of a part of which another follows may name the batch before.
        """
        parts = self._replay.parts
        if parts is None or not self.in_flight or (parts.last and seq < parts.batch.seq):
            return False
        last = parts.last
        self._replay.part_done()
        if not last:
            self.in_flight.clear()
        return last

    def _widen(self) -> None:
        self._window = 1 if self._replay.careful_until else self.config.window_batches

    def _head(self, after: int, position: ShardPosition, now_ns: int) -> RetainedBatch | None:
        """The batch that heads what is sent again, under the number of the last one let go: what the shard misses."""
        retained = self._retained
        gone = retained.last_released
        if gone.seq <= after or (self.config.lossless and gone.seq <= retained.first.seq):
            return None
        if self.config.lossless:
            raise RunFailed(
                f"shard {self.shard}",
                f"its successor is at batch {after}, although batches up to {gone.seq} were confirmed as durable",
                "a checkpoint no older than the last one confirmed",
                "Check the run folder's checkpoints for damage, and run again in a new run folder.",
            )
        items = self._undelivered.items(after, gone, position)
        if not items:
            return None
        return self._cutter.cut_gap_batch(gone.seq, now_ns, gone.totals, gone.mark_ns, items)
