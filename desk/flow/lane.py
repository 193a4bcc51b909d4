"""One shard's lane: items and acks in, batches out. A state machine without clock, socket or thread."""

from collections import deque

import msgspec

from desk.flow.pending import Pending
from desk.model.batch import MAX_BATCH_BYTES, Ack, Batch, LaneTotals, encode
from desk.model.items import Item, Second
from desk.model.ticks import Quote, Tick, Trade
from desk.model.units import MS_NS

FIRST_BATCH_ITEMS = 256
FILL_SHARE = 0.9
FIRST_STRETCH_NS = MS_NS
MAX_LINGER_NS = 16 * MS_NS


class LaneConfig(msgspec.Struct, frozen=True):
    """What every lane of one producer shares; see `[flow]` and `[guards]` in the tradeplan.

    A lane of a `lossless` feed refuses to overflow: its producer waits for `room`.
    """

    source: str
    epoch: int
    capacity: int
    window_batches: int
    linger_ns: int
    write_timeout_ns: int
    lag_threshold: int
    max_data_latency_ns: int
    lossless: bool
    max_batch_bytes: int = MAX_BATCH_BYTES


class Lane:
    """The queue that batches by itself.

    While the window is open it sends what it has, at least `linger_ns` apart; while it is closed, ticks
    gather. So low load makes small batches and high load large ones. A producer that falls behind stretches
    the linger in force: a call costs the same whatever it carries, so fewer and larger batches are its relief.
    `capacity` counts ticks not yet cut into a batch; a cut batch never changes.
    """

    def __init__(self, shard: int, config: LaneConfig, table_version: int = 1) -> None:
        self.shard = shard
        self.config = config
        self.table_version = table_version
        self.pending = Pending(config.capacity, config.write_timeout_ns, lossless=config.lossless)
        self.lagging = False
        self.linger_ns = config.linger_ns
        self.in_flight: deque[int] = deque()
        self._cut_trades = 0
        self._cut_quotes = 0
        self._seq = 0
        self._last_cut_ns = 0
        self._items_per_batch = FIRST_BATCH_ITEMS

    @property
    def depth(self) -> int:
        """Ticks that wait to be cut."""
        return self.pending.ticks

    @property
    def room(self) -> int:
        """Ticks that fit before the lane is full."""
        return self.config.capacity - self.pending.ticks

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is unacknowledged."""
        return not self.pending.items and not self.in_flight

    @property
    def window_open(self) -> bool:
        """Whether another batch may be sent."""
        return len(self.in_flight) < self.config.window_batches

    def offer(self, tick: Tick, now_ns: int) -> None:
        """Put a tick in; a full lane makes room by class, or raises OverflowError if its feed is lossless."""
        self.pending.offer(tick, now_ns)

    def put(self, item: Item) -> None:
        """Put in what is never dropped: marks, order events, watches."""
        self.pending.append(item)

    def stretch(self, factor: float) -> None:
        """Multiply the linger in force, within `linger_ns` of the plan and MAX_LINGER_NS."""
        least_ns = self.config.linger_ns
        self.linger_ns = max(least_ns, min(round(max(self.linger_ns, FIRST_STRETCH_NS) * factor), MAX_LINGER_NS))

    def takes(self, ticks: int, *, quotes: bool) -> bool:
        """Whether so many ticks, with or without quotes among them, may be appended straight to `pending.items`."""
        return self.room >= ticks and not (quotes and self.pending.tight)

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
        tick, for a feed that is in no hurry. `want_reply` asks for the shard's requests in the ack.
        """
        items = self.pending.items
        if not items or not self.window_open:
            return None
        linger_ns = self.linger_ns if len(items) < self._items_per_batch else self.config.linger_ns
        if not hurry and 0 <= now_ns - self._last_cut_ns < linger_ns:  # below 0: the clock was set back
            return None
        if full_only and len(items) < self._items_per_batch:
            return None
        return self._cut(now_ns, want_reply)

    def on_ack(self, ack: Ack) -> None:
        """Take an ack in; acks of one shard come in order, so everything up to its seq is done.

        An ack of what was acknowledged before, or of what this lane never cut, changes nothing.
        """
        if ack.seq > self._seq:
            return
        in_flight = self.in_flight
        while in_flight and in_flight[0] <= ack.seq:
            in_flight.popleft()

    def totals(self) -> LaneTotals:
        """Received by class is what was cut, conflated or dropped: what still waits is not counted yet."""
        return self._totals(self._cut_trades, self._cut_quotes)

    def crossed_threshold(self) -> bool:
        """Whether the lane has just come to hold more than `lag_threshold`; armed again at half of it."""
        depth = self.pending.ticks
        if self.lagging:
            self.lagging = depth * 2 > self.config.lag_threshold
            return False
        self.lagging = depth > self.config.lag_threshold
        return self.lagging

    def _cut(self, now_ns: int, want_reply: bool) -> bytes:
        pending = self.pending
        count = self._items_per_batch
        while True:
            chunk, places = pending.first(count)
            trades, quotes = self._stamp(chunk, now_ns)
            batch = Batch(
                self.config.source,
                self.config.epoch,
                self.shard,
                self.table_version,
                self._seq + 1,
                now_ns,
                self._totals(self._cut_trades + trades, self._cut_quotes + quotes),
                chunk,
                want_reply and places == len(pending.items),
            )
            payload = encode(batch)
            if len(payload) <= self.config.max_batch_bytes or len(chunk) == 1:
                break
            count = len(chunk) // 2
        pending.discard(places, others=len(chunk) - trades - quotes)
        self._cut_trades += trades
        self._cut_quotes += quotes
        self._seq += 1
        self._last_cut_ns = now_ns
        self.in_flight.append(self._seq)
        self._learn_size(len(chunk), len(payload))
        return payload

    def _stamp(self, chunk: list[Item], now_ns: int) -> tuple[int, int]:
        """Count trades and quotes, and write into the marks how long they waited here."""
        kinds = list(map(type, chunk))
        trades = kinds.count(Trade)
        quotes = kinds.count(Quote)
        if trades + quotes < len(chunk) and not self.config.lossless:
            limit_ns = self.config.max_data_latency_ns
            for item in chunk:
                if type(item) is Second:
                    item.lane_age_ns = max(now_ns - item.received_ns, 0)
                    item.degraded = item.degraded or item.feed_lag_ns > limit_ns or item.lane_age_ns > limit_ns
        return trades, quotes

    def _totals(self, cut_trades: int, cut_quotes: int) -> LaneTotals:
        pending = self.pending
        return LaneTotals(
            trades=cut_trades + pending.trades_aged + pending.trades_full,
            quotes=cut_quotes + pending.quotes_conflated + pending.quotes_full,
            quotes_conflated=pending.quotes_conflated,
            trades_aged=pending.trades_aged,
            trades_full=pending.trades_full,
            quotes_full=pending.quotes_full,
        )

    def _learn_size(self, items: int, size_bytes: int) -> None:
        """Aim the next batch at the size limit, growing at most twofold at a time."""
        fitting = int(FILL_SHARE * self.config.max_batch_bytes * items / size_bytes)
        self._items_per_batch = max(1, min(fitting, 2 * self._items_per_batch))
