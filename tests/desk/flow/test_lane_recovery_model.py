"""A lane and a shard that dies, for any interleaving: each tick is applied once and in order, or accounted for."""

from collections import deque
from typing import Any

from examples import examples
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from lane_makers import lane, mark, order_event, quote, trade
from model_shard import ModelShard, ShardDied, gaps

from desk.flow import Lane
from desk.model.batch import Ack, decode_batch
from desk.model.items import GapItem, Item, LostTrades, Mark
from desk.model.orders import OrderEvent
from desk.model.ticks import Tick, Trade

PLENTY = 10**9
PATIENCE = 1_500


class Recovering(RuleBasedStateMachine):
    """Lane, link and shard. The link loses what is under way, both ways, when the shard dies."""

    lane: Lane

    def start(self, *, poison: frozenset[int] = frozenset(), modest: bool = False, **config: Any) -> None:
        self.lane = lane(**{"linger_ns": 0, **config})
        self.shard = ModelShard(poison, modest=modest)
        self.poison = poison
        self.now_ns = 10**18
        self.link: deque[bytes] = deque()
        self.acks: deque[Ack] = deque()
        self.offered: list[Tick] = []
        self.put: list[Item] = []
        self.sent: dict[int, bytes] = {}
        self.heard: set[int] = set()
        self.found: list[int] = []
        self.dead = False

    @property
    def alive(self) -> bool:
        return not self.dead

    def offer_one(self, tick: Tick) -> None:
        if self.lane.room or not self.lane.config.lossless:
            self.lane.offer(tick, self.now_ns)
            self.offered.append(tick)

    @rule(ticks=st.lists(st.booleans(), min_size=1, max_size=6))
    def offer(self, ticks: list[bool]) -> None:
        for is_trade in ticks:
            ordinal = len(self.offered) + 1
            symbol = "AB"[ordinal % 2]
            self.offer_one(trade(ordinal, symbol) if is_trade else quote(ordinal, symbol))

    @rule()
    def mark(self) -> None:
        self.now_ns += 1_000_000
        self.lane.put(mark(len(self.put) + 1, self.now_ns))
        self.put.append(mark(len(self.put) + 1))

    @rule()
    def order_event(self) -> None:
        event = order_event(len(self.put) + 1)
        self.lane.put(event)
        self.put.append(event)

    @rule(batches=st.integers(1, 3))
    def cut(self, batches: int) -> None:
        for _ in range(batches):
            self.send(self.lane.cut(self.now_ns, hurry=True))

    @rule(checkpoint=st.booleans())
    def poke(self, checkpoint: bool) -> None:
        payload = self.lane.request_checkpoint(self.now_ns, checkpoint=checkpoint)
        self.send(payload)
        assert payload is None or decode_batch(payload).checkpoint == checkpoint

    def send(self, payload: bytes | None) -> None:
        if payload is None:
            return
        batch = decode_batch(payload)
        known = self.sent.get(batch.seq)
        singly = batch.more or self.lane._replay.parts is not None
        if known is None:
            assert batch.seq == max(self.sent, default=0) + 1
            self.sent[batch.seq] = payload
        elif not (singly or gaps(batch.items) or batch.seq == self.lane._retained.last_released.seq):
            assert payload == known
        assert len(self.lane.in_flight) <= (1 if singly else self.lane.config.window_batches)
        if self.alive:
            self.link.append(payload)

    @precondition(lambda self: self.link)
    @rule()
    def deliver(self) -> None:
        try:
            self.acks.append(self.shard.receive(self.link.popleft()))
        except ShardDied:
            self.perish()

    @precondition(lambda self: self.acks)
    @rule()
    def hear(self) -> None:
        ack = self.acks.popleft()
        parts = self.lane._replay.parts
        part = parts is not None and not parts.last
        news = self.lane.on_ack(ack)
        if not part:
            assert news == (ack.seq not in self.heard)
            self.heard.update(range(1, ack.seq + 1))

    @precondition(lambda self: self.alive)
    @rule()
    def checkpoint(self) -> None:
        if not self.lane._replay.careful_until:
            self.shard.checkpoint()

    @precondition(lambda self: self.alive and self.shard.checkpoints)
    @rule(checkpoints=st.integers(1, 3))
    def confirm(self, checkpoints: int) -> None:
        self.shard.confirm(checkpoints)

    @precondition(lambda self: self.alive and not self.lane._replay.careful_until)
    @rule()
    def kill(self) -> None:
        self.perish()

    def perish(self) -> None:
        self.dead = True
        self.link.clear()
        self.acks.clear()
        self.shard.die()

    @precondition(lambda self: self.dead and not self.lane.down)
    @rule()
    def tell_of_the_loss(self) -> None:
        self.lane.on_shard_lost()
        assert self.lane.cut(self.now_ns, hurry=True) is None
        assert not self.lane.in_flight

    @precondition(lambda self: self.lane.down)
    @rule()
    def come_back(self) -> None:
        self.lane.on_shard_back(self.shard.position(), self.now_ns)
        self.dead = False
        for item, _ in self.lane.quarantined:
            assert isinstance(item, Tick)
            self.found.append(item.ordinal)
        self.lane.quarantined.clear()

    @invariant()
    def states_are_told_as_they_are(self) -> None:
        lane = self.lane
        assert not (lane.idle and (lane.down or lane.pending.items or lane.in_flight))
        if not lane.config.lossless:
            assert lane.kept_bytes <= lane.config.retain_bytes
        elif lane.kept_bytes > lane.config.retain_bytes and not lane.durable:
            assert lane.room == 0
        assert lane.config.lossless is False or not lane.unprotected

    def settle(self) -> None:
        """Go on as a producer does until everything is applied, acknowledged and durable."""
        for _ in range(PATIENCE):
            if self.dead:
                if not self.lane.down:
                    self.tell_of_the_loss()
                self.come_back()
            if self.lane.idle and self.lane.durable and not self.lane.needs_checkpoint:
                return
            self.cut(3)
            if not self.lane.in_flight:
                self.send(self.lane.request_checkpoint(self.now_ns, checkpoint=True))
            while self.link:
                self.deliver()
            self.shard.confirm(1)
            while self.acks:
                self.hear()
        raise AssertionError("the lane does not come to rest")

    def teardown(self) -> None:
        if hasattr(self, "lane"):
            self.settle()
            self.everything_is_accounted_for(self.shard.state.applied)

    def everything_is_accounted_for(self, applied: list[Item]) -> None:
        ticks = [item.ordinal for item in applied if isinstance(item, Tick)]
        assert ticks == sorted(set(ticks))
        rest = [_label(item) for item in applied if not isinstance(item, Tick | LostTrades | GapItem)]
        assert rest == [_label(item) for item in self.put]
        assert set(self.found) <= self.poison
        assert not set(ticks) & self.poison
        self.accounts_balance(applied)

    def accounts_balance(self, applied: list[Item]) -> None:
        totals = self.lane.totals()
        trades = sum(isinstance(item, Trade) for item in applied) + sum(gap.trades for gap in gaps(applied))
        quotes = sum(isinstance(item, Tick) for item in applied) - sum(isinstance(item, Trade) for item in applied)
        quotes += sum(gap.quotes for gap in gaps(applied))
        offered_trades = sum(isinstance(tick, Trade) for tick in self.offered)
        assert offered_trades == trades + totals.trades_aged + totals.trades_full
        assert len(self.offered) - offered_trades == quotes + totals.quotes_conflated + totals.quotes_full
        assert self.shard.state.lane == totals


def _label(item: Item) -> object:
    return item.session_ns if isinstance(item, Mark) else item


class LosslessMachine(Recovering):
    """Nothing is ever lost, whatever little is kept."""

    @initialize(
        window=st.integers(1, 3), retain_bytes=st.sampled_from((1, 400, PLENTY)), batch=st.sampled_from((150, 90_000))
    )
    def begin(self, window: int, retain_bytes: int, batch: int) -> None:
        self.start(lossless=True, window_batches=window, retain_bytes=retain_bytes, max_batch_bytes=batch)

    def everything_is_accounted_for(self, applied: list[Item]) -> None:
        super().everything_is_accounted_for(applied)
        assert [item for item in applied if isinstance(item, Tick)] == self.offered
        assert not gaps(applied)


class PoisonMachine(Recovering):
    """Poison items are found, and only they; what was applied of the rest is whole."""

    @initialize(
        window=st.integers(1, 3),
        poison=st.frozensets(st.integers(1, 40), max_size=4),
        modest=st.booleans(),
        lossless=st.booleans(),
    )
    def begin(self, window: int, poison: frozenset[int], modest: bool, lossless: bool) -> None:
        self.start(poison=poison, modest=modest, window_batches=window, lossless=lossless, capacity=10_000)

    def everything_is_accounted_for(self, applied: list[Item]) -> None:
        super().everything_is_accounted_for(applied)
        offered = {tick.ordinal for tick in self.offered}
        assert set(self.found) == self.poison & offered
        assert len(self.found) == len(set(self.found))
        assert [item for item in applied if isinstance(item, Tick)] == [
            tick for tick in self.offered if tick.ordinal not in self.poison
        ]


class LiveMachine(Recovering):
    """A lane that retains little: discarded batches become a gap with the right counts, only if unprotected."""

    @initialize(
        window=st.integers(1, 3),
        retain_bytes=st.sampled_from((1, 200, 400, PLENTY)),
        capacity=st.integers(1, 12),
        batch=st.sampled_from((1, 150, 90_000)),
    )
    def begin(self, window: int, retain_bytes: int, capacity: int, batch: int) -> None:
        self.start(window_batches=window, retain_bytes=retain_bytes, capacity=capacity, max_batch_bytes=batch)
        self.was_unprotected = False

    @invariant()
    def note_protection(self) -> None:
        self.was_unprotected = self.was_unprotected or self.lane.unprotected

    def everything_is_accounted_for(self, applied: list[Item]) -> None:
        seconds = [item.session_ns for item in applied if isinstance(item, Mark)]
        events = [item for item in applied if isinstance(item, OrderEvent)]
        ticks = [item.ordinal for item in applied if isinstance(item, Tick)]
        assert seconds == sorted(set(seconds))
        assert events == [item for item in self.put if isinstance(item, OrderEvent)]
        assert ticks == sorted(set(ticks))
        if not self.was_unprotected:
            assert not gaps(applied)
            assert seconds == [item.session_ns for item in self.put if isinstance(item, Mark)]
        self.accounts_balance(applied)


for machine in (LosslessMachine, PoisonMachine, LiveMachine):
    machine.TestCase.settings = examples(200, stateful_step_count=40, phases=(Phase.generate, Phase.shrink))

test_a_lossless_lane_loses_nothing_and_never_stands_still = LosslessMachine.TestCase
test_poison_is_found_and_nothing_else_is_left_out = PoisonMachine.TestCase
test_what_a_live_lane_let_go_is_a_gap_that_balances_the_accounts = LiveMachine.TestCase
