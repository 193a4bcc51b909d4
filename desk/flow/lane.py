"""One shard's lane: items and acks in, batches out. A state machine without clock, socket or thread."""

from collections import deque

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
from desk.model.ticks import Tick
from desk.model.units import MS_NS

FIRST_STRETCH_NS = MS_NS
MAX_LINGER_NS = 16 * MS_NS


class Lane:
    """The queue that batches by itself.

    While the window is open it sends what it has, at least `linger_ns` apart; while it is closed, ticks
    gather. So low load makes small batches and high load large ones. A producer that falls behind stretches
    the linger in force: a call costs the same whatever it carries, so fewer and larger batches are its relief.
    `capacity` counts ticks not yet cut into a batch; a cut batch never changes.

    Cut batches are kept until a checkpoint that holds them is confirmed. A shard that is lost is sent nothing; when
    its successor is back it is given again what it has not applied, then what has gathered meanwhile. Where more is
    kept than `retain_bytes`, a lossless lane has no room; of any other the oldest go, and the shard is
    `unprotected`: a `Gap` tells its successor how many ticks it misses. `busy_ns` is how long the shard has worked in
    all, by its last ack.

    `totals` are the shard's own, on which a producer's successor counts. Such a lane leaves its first batch number
    free for a gap, should the shard be lost and come back behind these totals. `seq` is the number of the last batch
    that the shard had of another lane of this producer; it holds it durably.

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
        """Ticks that fit before the lane is full; none while a lossless lane keeps more than it may."""
        return 0 if self._retained.full else self.config.capacity - self.pending.ticks

    @property
    def idle(self) -> bool:
        """The shard is there, and nothing waits, is to be sent again, is unacknowledged or lacks its reply."""
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
        """The number of the last batch with items: of later ones no checkpoint is taken."""
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
        """The size of what was cut and is not let go yet."""
        return self._retained.size_bytes

    @property
    def needs_checkpoint(self) -> bool:
        """A lossless lane keeps more than it may, and no `request_checkpoint` for it is under way."""
        return self._retained.full and not self.down and not self._replay and self._asked_seq <= self._acked_seq

    @property
    def durable(self) -> bool:
        """Whether confirmed checkpoints hold every item that was cut; empty batches hold none."""
        return self._retained.durable

    @property
    def confirmed(self) -> bool:
        """Whether a checkpoint that holds any batch of this lane is confirmed."""
        return self._retained.durable_seq > 0

    @property
    def unprotected(self) -> bool:
        """Whether the shard, lost now, may miss ticks afterwards."""
        return self._retained.unprotected

    @property
    def quarantined(self) -> list[tuple[Item, int]]:
        """Ticks that were left out because the shard died of them, each with its batch's number; to be cleared."""
        return self._replay.quarantined

    def offer(self, tick: Tick, now_ns: int) -> None:
        """Put a tick in; a full lane makes room by class, or raises OverflowError if its feed is lossless."""
        self.pending.offer(tick, now_ns)

    def put(self, item: Item) -> None:
        """Put in what is never dropped: marks, order events, watches."""
        if type(item) is Mark:
            self._cutter.mark_ns = item.session_ns
        self.pending.append(item)

    def count_adopted(self, held: HeldCounts) -> None:
        """Count the ticks that travel in the `Adopt` put in last, and those dropped while they were held for it."""
        self._cutter.count_adopted(held)
        self.pending.trades_full += held.trades_full
        self.pending.quotes_full += held.quotes_full

    def adopted_in(self, move: int) -> int | None:
        """The number of the batch in which the move's `Adopt` was cut; None while it waits."""
        return self._cutter.adopts.get(move)

    def stretch(self, factor: float) -> None:
        """Multiply the linger in force, within `linger_ns` of the plan and MAX_LINGER_NS."""
        least_ns = self.config.linger_ns
        self.linger_ns = max(least_ns, min(round(max(self.linger_ns, FIRST_STRETCH_NS) * factor), MAX_LINGER_NS))

    def can_take(self, ticks: int, *, quotes: bool) -> bool:
        """Whether so many ticks, with or without quotes among them, may be appended straight to `pending.items`."""
        return self.room >= ticks and not (quotes and self.pending.is_conflating)

    def age_ns(self, now_ns: int) -> int:
        """How long the oldest tick here has waited."""
        oldest_ns = self.pending.oldest_received_ns
        return 0 if oldest_ns is None else max(now_ns - oldest_ns, 0)

    def conflate(self, *, on: bool) -> None:
        """Conflate quotes whether full or not, from now on or no longer."""
        self.pending.conflate(on=on)

    def drop_aged(self, now_ns: int) -> None:
        """Drop the trades older than the write timeout, full or not; only while quotes are conflated."""
        self.pending.drop_aged(now_ns)

    def shed(self, symbol: str, minute_ns: int, trades: int) -> None:
        """Drop so many trades of one symbol and minute, which were too old when they came in."""
        self.pending.shed(symbol, minute_ns, trades)

    def cut(
        self, now_ns: int, *, hurry: bool = False, full_only: bool = False, want_reply: bool = False
    ) -> bytes | None:
        """The next batch, encoded, if the window is open and something waits; None otherwise.

        `hurry` sends before `linger_ns` has passed. `full_only` waits for a batch of full size: cheapest per
        tick, for a feed that is in no hurry. `want_reply` asks for the shard's requests in the ack. Before
        all else, batches to be replayed are sent unchanged; then a lost reply is requested again.
        """
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
        if want_reply and not items:
            self._reply_seq = batch.seq
        return self._send(batch)

    def request_checkpoint(self, now_ns: int, *, checkpoint: bool = False) -> bytes | None:
        """An empty batch: its ack tells what is durable, and with `checkpoint` it asks for more to be so.

        None while the window is closed or something is to be sent again.
        """
        if self._replay or not self.window_open:
            return None
        if checkpoint:
            self._asked_seq = self._seq + 1
        return self._send(self._cutter.empty(self._seq + 1, now_ns, checkpoint=checkpoint))

    def on_ack(self, ack: Ack) -> bool:
        """Take an ack in; acks of one shard come in order, so everything up to its seq is done.

        Whether its request is news: it is not where the batch had been acknowledged before it was sent again. An
        ack of what is acknowledged already, of what this lane never cut or of a lost shard changes nothing.
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
        """The shard is gone: what was under way may or may not be applied, and nothing is cut until it is back.

        Raises RunFailed where it died of an item that nothing makes up for.
        """
        span = BatchSpan(self.in_flight[0], self.in_flight[-1]) if self.in_flight else BatchSpan()
        self.down = True
        self._asked_seq = 0  # a poke that the shard's successor has had is not answered any more
        self._window = 0
        self.in_flight.clear()
        self._replay.on_shard_lost(span)

    def on_shard_back(self, position: ShardPosition, now_ns: int) -> None:
        """The shard's successor is there: what it has not applied is to be sent again.

        Raises RunFailed where a lossless lane has let that go, because it was confirmed to be durable.
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
        """Received by class is what was cut, conflated or dropped: what still waits is not counted yet."""
        return self._cutter.totals()

    def crossed_threshold(self) -> bool:
        """Whether the lane has just come to hold more than `lag_threshold`; armed again at half of it."""
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
                f"it is back at batch {after}, while all up to batch {gone.seq} was confirmed to be kept",
                "a checkpoint no older than the last one confirmed",
                "Look for damage in the run folder's checkpoints, and run again in a new one.",
            )
        items = self._undelivered.items(after, gone, position)
        if not items:
            return None
        return self._cutter.cut_gap_batch(gone.seq, now_ns, gone.totals, gone.mark_ns, items)
