"""The lane equals its simple model for any interleaving of producer, shard and clock."""

from examples import examples
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from lane_makers import ack, drain, lane, mark, order_event, quote, trade, waiting
from slow_lane import SlowLane

from desk.flow import Lane
from desk.model.batch import Batch, decode_batch
from desk.model.items import Item, LostTrades, Mark, QuotesLost, Watch
from desk.model.ticks import Quote, Tick, Trade
from desk.model.units import MINUTE_NS, SECOND_NS

SYMBOLS = ("A", "B", "C", "D")
symbols = st.sampled_from(SYMBOLS)
steps_ns = st.sampled_from((0, 1, 400_000, 1_000_000, SECOND_NS // 2, SECOND_NS, 11 * SECOND_NS))


def labels(items: list[Item]) -> list[object]:
    """The items, without `LostTrades` and `QuotesLost`, and without what the lane writes into marks when it cuts."""
    return [
        ("mark", item.session_ns) if isinstance(item, Mark) else item
        for item in items
        if not isinstance(item, LostTrades | QuotesLost)
    ]


class LaneMachine(RuleBasedStateMachine):
    lane: Lane
    slow: SlowLane

    @initialize(
        capacity=st.integers(1, 9),
        window=st.integers(1, 3),
        max_batch_bytes=st.sampled_from((1, 200, 320, 700, 90_000)),
        timeout_ns=st.sampled_from((1, SECOND_NS, MINUTE_NS)),
        watched=st.booleans(),
    )
    def begin(self, capacity: int, window: int, max_batch_bytes: int, timeout_ns: int, watched: bool) -> None:
        self.lane = lane(
            capacity=capacity, window_batches=window, max_batch_bytes=max_batch_bytes, write_timeout_ns=timeout_ns
        )
        self.slow = SlowLane(capacity, timeout_ns)
        self.now_ns = self.received_ns = 10**18
        self.cut_ns = 0
        self.offered: list[Tick] = []
        self.delivered: list[Item] = []
        self.minutes: set[tuple[str, int]] = set()
        self.sent = self.acked = self.others = 0
        if watched:
            for symbol in SYMBOLS:
                self.put(Watch(symbol, 0))

    def put(self, item: Item) -> None:
        self.others += 1
        self.lane.put(item)
        self.slow.put(item)

    def offer(self, tick: Tick) -> None:
        self.offered.append(tick)
        self.minutes.add((tick.symbol, tick.ts_ns - tick.ts_ns % MINUTE_NS))
        self.lane.offer(tick, self.now_ns)
        self.slow.offer(tick, self.now_ns)

    @rule(symbol=symbols, minute=st.integers(0, 2))
    def trade(self, symbol: str, minute: int) -> None:
        self.offer(trade(len(self.offered), symbol, minute * MINUTE_NS + self.now_ns % 7, self.received_ns))

    @rule(symbol=symbols)
    def quote(self, symbol: str) -> None:
        self.offer(quote(len(self.offered), symbol, self.received_ns))

    @rule(burst=st.lists(st.tuples(st.booleans(), symbols), min_size=5, max_size=25))
    def burst(self, burst: list[tuple[bool, str]]) -> None:
        for is_trade, symbol in burst:
            self.trade(symbol, 0) if is_trade else self.quote(symbol)
            self.nothing_is_lost_without_a_name()

    @rule(on=st.booleans())
    def conflate(self, on: bool) -> None:
        self.lane.conflate(on=on)
        self.slow.conflate(on=on)

    @precondition(lambda self: self.slow.conflating)
    @rule()
    def drop_aged(self) -> None:
        self.lane.drop_aged(self.now_ns)
        self.slow.drop_aged(self.now_ns)

    @rule(symbol=symbols, minute=st.integers(0, 2), trades=st.integers(1, 3))
    def shed(self, symbol: str, minute: int, trades: int) -> None:
        for _ in range(trades):
            old = trade(len(self.offered), symbol, minute * MINUTE_NS, self.received_ns)
            self.offered.append(old)
            self.slow.aged.append(old)
        self.minutes.add((symbol, minute * MINUTE_NS))
        self.lane.shed(symbol, minute * MINUTE_NS, trades)

    @rule(lag_ns=st.sampled_from((0, 11 * SECOND_NS)))
    def mark(self, lag_ns: int) -> None:
        self.put(mark(self.others, self.now_ns, lag_ns))

    @rule(symbol=symbols)
    def order_event(self, symbol: str) -> None:
        self.put(order_event(self.others, symbol))

    @rule(step_ns=steps_ns, read=st.booleans())
    def time_passes(self, step_ns: int, read: bool) -> None:
        self.now_ns += step_ns
        if read:
            self.received_ns = self.now_ns

    @rule(hurry=st.booleans(), want_reply=st.booleans())
    def cut(self, hurry: bool, want_reply: bool) -> None:
        due = hurry or self.now_ns - self.cut_ns >= self.lane.config.linger_ns
        window_open = self.sent - self.acked < self.lane.config.window_batches

        something_waits = bool(waiting(self.lane))
        payload = self.lane.cut(self.now_ns, hurry=hurry, want_reply=want_reply)

        assert (payload is not None) == (something_waits and window_open and due)
        if payload is not None:
            batch = decode_batch(payload)
            self.batch_is_right(batch, len(payload))
            assert batch.want_reply == (want_reply and not waiting(self.lane))
            self.slow.cut(len(labels(batch.items)))
            self.delivered += batch.items
            self.sent, self.cut_ns = batch.seq, self.now_ns

    def batch_is_right(self, batch: Batch, size_bytes: int) -> None:
        config = self.lane.config
        assert (batch.source, batch.epoch, batch.shard) == ("producer", 3, 5)
        assert (batch.seq, batch.sent_ns) == (self.sent + 1, self.now_ns)
        assert batch.totals == self.lane.totals()
        assert batch.items
        assert size_bytes <= config.max_batch_bytes or len(batch.items) == 1
        assert labels(batch.items) == labels(self.slow.waiting)[: len(labels(batch.items))]
        for item in batch.items:
            if isinstance(item, Mark):
                assert item.lane_age_ns == self.now_ns - item.received_ns
                assert item.degraded == (max(item.feed_lag_ns, item.lane_age_ns) > config.max_data_latency_ns)

    @precondition(lambda self: self.sent > self.acked)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        self.acked = data.draw(st.integers(self.acked + 1, self.sent))
        self.lane.on_ack(ack(self.acked))

    @rule(ahead=st.integers(1, 5), behind=st.integers(0, 5))
    def acks_that_mean_nothing(self, ahead: int, behind: int) -> None:
        self.lane.on_ack(ack(self.sent + ahead))
        self.lane.on_ack(ack(self.acked - behind))

    @invariant()
    def what_waits_is_what_the_rules_leave(self) -> None:
        assert labels(waiting(self.lane)) == labels(self.slow.waiting)
        assert self.lane.depth == self.slow.ticks
        assert self.lane.room == self.lane.config.capacity - self.slow.ticks
        assert len(self.lane.in_flight) == self.sent - self.acked
        assert self.lane.idle == (not waiting(self.lane) and self.sent == self.acked)
        ticks = [item for item in self.slow.waiting if isinstance(item, Tick)]
        assert self.lane.age_ns(self.now_ns) == (self.now_ns - ticks[0].received_ns if ticks else 0)
        assert self.lane.can_take(self.lane.room, quotes=True) != self.slow.conflating
        assert self.lane.can_take(self.lane.room, quotes=False)

    @invariant()
    def nothing_is_lost_without_a_name(self) -> None:
        lane, slow, totals = self.lane, self.slow, self.lane.totals()
        cut = [item for item in self.delivered if isinstance(item, Tick)]
        still = [item for item in slow.waiting if isinstance(item, Tick)]
        assert 0 <= lane.depth <= lane.config.capacity
        assert sum(isinstance(item, LostTrades) for item in waiting(lane)) <= 2 * len(self.minutes)
        assert sum(isinstance(item, QuotesLost) for item in waiting(lane)) <= len(SYMBOLS)
        assert len(lane.pending.items) <= 2 * (lane.config.capacity + lane.pending.others) + 1
        assert totals.quotes_conflated == len(slow.conflated)
        assert totals.trades_aged == len(slow.aged)
        assert totals.trades_full == sum(isinstance(tick, Trade) for tick in slow.full)
        assert totals.quotes_full == sum(isinstance(tick, Quote) for tick in slow.full)
        trades_cut = sum(isinstance(tick, Trade) for tick in cut)
        assert totals.trades == trades_cut + totals.trades_aged + totals.trades_full
        assert totals.quotes == len(cut) - trades_cut + totals.quotes_conflated + totals.quotes_full
        assert totals.trades + totals.quotes + len(still) == len(self.offered)

    def teardown(self) -> None:
        if not hasattr(self, "lane"):
            return
        batches = drain(self.lane, self.now_ns)
        assert [batch.seq for batch in batches] == list(range(self.sent + 1, self.sent + 1 + len(batches)))
        self.delivered += [item for batch in batches for item in batch.items]
        assert self.lane.idle
        self.the_shard_hears_of_every_loss_in_time()
        self.the_shard_keeps_no_quote_where_a_newer_one_was_dropped()

    def the_shard_hears_of_every_loss_in_time(self) -> None:
        others = [item for item in self.delivered if not isinstance(item, Tick | LostTrades | QuotesLost)]
        arrived = {item.ordinal: place for place, item in enumerate(self.delivered) if isinstance(item, Tick)}
        told = [(place, item.minutes) for place, item in enumerate(self.delivered) if isinstance(item, LostTrades)]
        watched = {item.symbol: place for place, item in enumerate(self.delivered) if isinstance(item, Watch)}
        assert len(others) == self.others
        assert list(arrived) == sorted(arrived)
        for lost in self.offered:
            if isinstance(lost, Trade) and lost.ordinal not in arrived:
                minute = (lost.symbol, lost.ts_ns - lost.ts_ns % MINUTE_NS)
                later = [arrived[tick.ordinal] for tick in self.later_of(lost) if tick.ordinal in arrived]
                heard = [place for place, minutes in told if minute in minutes]
                assert heard
                assert any(watched.get(lost.symbol, -1) < place < min([*later, 10**9]) for place in heard)

    def the_shard_keeps_no_quote_where_a_newer_one_was_dropped(self) -> None:
        last: dict[str, int] = {}
        standing: list[dict[str, int]] = []
        for item in self.delivered:
            if isinstance(item, Quote):
                last[item.symbol] = item.ordinal
            elif isinstance(item, QuotesLost):
                last.pop(item.symbol, None)
            standing.append(dict(last))
        arrived = {item.ordinal: place for place, item in enumerate(self.delivered) if isinstance(item, Tick)}
        for dropped in self.slow.full:
            later = [arrived[tick.ordinal] for tick in self.later_of(dropped) if tick.ordinal in arrived]
            if isinstance(dropped, Quote) and later:
                assert standing[min(later)].get(dropped.symbol, dropped.ordinal) >= dropped.ordinal

    def later_of(self, tick: Tick) -> list[Tick]:
        return [other for other in self.offered[tick.ordinal + 1 :] if other.symbol == tick.symbol]


LaneMachine.TestCase.settings = examples(200, stateful_step_count=40)
test_the_lane_keeps_the_overflow_rules_whatever_happens = LaneMachine.TestCase
