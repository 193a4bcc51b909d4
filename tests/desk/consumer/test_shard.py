from typing import Any

import pytest
from pipeline_parts import StepClock
from shard_parts import RecordingBroker, a_shard, at

from desk import strategy
from desk.consumer.shard import MAX_UNCONFIRMED, checkpoint_symbols
from desk.flow.routing_table import slot_of
from desk.model.batch import Ack, Batch, LaneTotals, encode
from desk.model.checkpoint import Checkpoint, decode_checkpoint, unpack_bars
from desk.model.items import Close, GapItem, Item, Mark, Release, Stop, Unwatch, Watch
from desk.model.orders import Intent, OrderEvent, Request
from desk.model.ticks import Quote, Trade
from desk.model.units import SECOND_NS

WATCH = Watch("A", at(0), [""])


class Buyer(strategy.Strategy):
    """Buys one share at every second, and at every gap."""

    def on_second(self, ctx: strategy.Context) -> None:
        ctx.buy(1)

    def on_gap(self, ctx: strategy.Context, gap: strategy.Gap) -> None:
        ctx.buy(1)


class Store:
    """Checkpoints in memory: those of `kept` are confirmed, all unless a test says otherwise."""

    def __init__(self) -> None:
        self.checkpoints: list[Checkpoint] = []
        self.kept: int | None = None

    def save(self, number: int, checkpoint: bytes) -> None:
        self.checkpoints.append(decode_checkpoint(checkpoint))
        assert self.checkpoints[-1].number == number

    def confirmed(self) -> int:
        last = self.checkpoints[-1].number if self.checkpoints else 0
        return last if self.kept is None else self.kept


class Bench:
    """One shard with its doors, and a producer's pencil for batches."""

    def __init__(
        self, *, lockstep: bool = False, live: bool = False, checkpoint_s: float = 1.0, store: Store | None = None
    ) -> None:
        self.clock, self.store, self.ear = StepClock(), store or Store(), RecordingBroker()
        self.shard = a_shard(
            self.store,
            self.ear,
            self.clock,
            epoch=7,
            checkpoint_s=checkpoint_s,
            lockstep=lockstep,
            live=live,
            create=Buyer,
        )

    @classmethod
    def restored(cls, kept: Checkpoint, **more: Any) -> "Bench":
        bench = cls(**more)
        bench.shard.restore(kept, unpack_bars(kept.bars))
        return bench

    def receive(self, seq: int, *items: Item, epoch: int = 1, sent_ns: int = 0, **more: Any) -> Ack:
        batch = Batch("producer", epoch, 3, seq, sent_ns, LaneTotals(trades=seq), list(items), **more)
        return self.shard.receive(encode(batch))


def a_trade(ordinal: int, received_ns: int = 0, ts_ns: int = 0) -> Trade:
    return Trade(ordinal, "A", ts_ns or at(0.5), received_ns, 10.0, 100.0)


def mark(seconds: float) -> Mark:
    return Mark(at(seconds), 0)


def test_an_ack_names_the_shard_and_the_batch_that_it_applied() -> None:
    bench = Bench()

    ack = bench.receive(1, WATCH, a_trade(1), a_trade(2), Quote(3, "A", at(1), 0, 9.0, 1.0, 11.0, 1.0), mark(1))

    assert (ack.shard, ack.epoch, ack.seq, ack.mark_ns) == (3, 7, 1, at(1))
    assert (ack.refused, ack.request) == (False, None)
    assert (bench.shard.engine.audit.trades, bench.shard.engine.audit.quotes) == (2, 1)
    assert ack.busy_ns > 0


def test_a_batch_that_comes_again_is_acknowledged_and_not_applied() -> None:
    bench = Bench()
    bench.receive(1, WATCH)
    bench.receive(2, a_trade(1))

    again = bench.receive(2, a_trade(2))

    assert (again.seq, again.refused) == (2, False)
    assert bench.shard.engine.audit.trades == 1
    assert bench.shard.stats().batches == 2


def test_batches_of_an_older_producer_are_refused_and_a_newer_one_counts_from_its_own_beginning() -> None:
    bench = Bench()
    bench.receive(5, WATCH)

    newer = bench.receive(1, a_trade(1), epoch=2)
    older = bench.receive(6, a_trade(2))

    assert not newer.refused
    assert (older.seq, older.refused) == (6, True)
    assert bench.shard.engine.audit.trades == 1


def test_without_lockstep_a_request_goes_straight_to_the_broker_once() -> None:
    bench = Bench()

    ack = bench.receive(1, WATCH, mark(1))
    bench.receive(1, WATCH, mark(1))
    bench.receive(2, a_trade(1))

    assert ack.request is None
    assert [[intent.client_order_id for intent in request.intents] for request in bench.ear.requests] == [["day-s-A-1"]]


def numbers(ack: Ack) -> list[int]:
    """The decision numbers of what an ack asks for."""
    assert ack.request is not None
    return [intent.number for intent in ack.request.intents if isinstance(intent, Intent)]


def test_in_lockstep_a_request_waits_for_the_batch_that_wants_a_reply() -> None:
    bench = Bench(lockstep=True)

    first = bench.receive(1, WATCH, mark(1))
    second = bench.receive(2, mark(2), want_reply=True, mark_ns=at(2))
    third = bench.receive(3, a_trade(1), want_reply=True, mark_ns=at(2))

    assert first.request is None
    assert second.request is not None
    assert [intent.client_order_id for intent in second.request.intents] == ["day-s-A-1", "day-s-A-2"]
    assert second.request.mark_ns == at(2)
    assert third.request == Request(mark_ns=at(2))
    assert bench.ear.requests == []


def test_without_lockstep_a_request_bears_the_mark_at_which_it_is_asked() -> None:
    bench = Bench()

    bench.receive(1, WATCH, mark(1))

    assert [request.mark_ns for request in bench.ear.requests] == [at(1)]


def test_a_producer_that_is_behind_the_shard_gets_each_request_at_its_mark() -> None:
    bench = Bench(lockstep=True)
    bench.receive(1, WATCH, mark(1), want_reply=True, mark_ns=at(1))
    bench.receive(2, mark(2), want_reply=True, mark_ns=at(2))
    bench.receive(3, mark(3))

    acks = [bench.receive(seq, mark(seq), epoch=2, want_reply=True, mark_ns=at(seq)) for seq in (1, 2, 3, 4)]

    assert acks[0].request == Request(mark_ns=at(3))
    assert [numbers(ack) for ack in acks] == [[], [2], [3], [4]]
    assert bench.shard.engine.audit.intents == 4


def test_what_the_shard_came_to_ask_amid_a_second_waits_for_the_next_mark_of_a_new_producer() -> None:
    bench = Bench(lockstep=True)
    bench.receive(1, WATCH, mark(1), want_reply=True, mark_ns=at(1))
    bench.receive(2, GapItem(at(1), at(2), "away"))

    again = bench.receive(1, mark(1), epoch=2, want_reply=True, mark_ns=at(1))
    then = bench.receive(2, mark(2), epoch=2, want_reply=True, mark_ns=at(2))

    # The gap made it buy once more.
    assert [numbers(again), numbers(then)] == [[1], [2, 3]]


def test_a_restored_shard_gives_what_was_given_before_its_checkpoint_and_what_was_not() -> None:
    bench = Bench(lockstep=True)
    bench.receive(1, WATCH, mark(1), want_reply=True, mark_ns=at(1))
    bench.receive(2, mark(2), checkpoint=True)

    successor = Bench.restored(bench.store.checkpoints[-1], lockstep=True)
    acks = [successor.receive(seq, mark(seq), want_reply=True, mark_ns=at(seq)) for seq in (3, 4)]

    assert [numbers(ack) for ack in acks] == [[1, 2, 3], [4]]


def test_parts_count_as_the_batch_once_the_last_is_there() -> None:
    bench = Bench(lockstep=True)
    bench.receive(1, WATCH)

    parts = [
        bench.receive(2, a_trade(1), more=True, want_reply=True, mark_ns=at(1)),
        bench.receive(2, a_trade(1), a_trade(2), more=True, want_reply=True, checkpoint=True, mark_ns=at(1)),
    ]
    position, checkpoints = bench.shard.position(), list(bench.store.checkpoints)
    last = bench.receive(2, mark(1), want_reply=True, checkpoint=True, mark_ns=at(1))

    assert [(ack.seq, ack.request) for ack in parts] == [(1, None), (1, None)]
    assert (bench.shard.engine.audit.trades, bench.shard.engine.audit.repeated) == (2, 1)
    assert (position.seq, position.lane.trades, checkpoints) == (1, 1, [])
    assert (last.seq, numbers(last), bench.shard.stats().batches) == (2, [1], 2)
    assert [checkpoint.seq for checkpoint in bench.store.checkpoints] == [2]


def test_a_checkpoint_that_is_wanted_is_taken_at_once_unless_nothing_was_applied_since_the_last() -> None:
    bench = Bench(checkpoint_s=3600)

    bench.receive(1, WATCH, checkpoint=True)
    bench.receive(2, checkpoint=True)
    bench.receive(3, a_trade(1))
    bench.receive(4)
    poke = bench.receive(5, checkpoint=True)

    assert [(kept.seq, kept.source_epoch) for kept in bench.store.checkpoints] == [(1, 1), (5, 1)]
    assert poke.durable_seq == 5


def test_acks_tell_what_the_keeper_is_known_to_have() -> None:
    bench = Bench()
    bench.store.kept = 0
    acks = []

    for seq, kept in ((1, 0), (2, 0), (3, 1), (4, 1), (5, 4)):
        bench.clock.now_ns += SECOND_NS
        bench.store.kept = kept
        acks.append(bench.receive(seq, WATCH, mark(seq)))

    assert [(ack.durable_seq, ack.durable_mark_ns) for ack in acks] == [
        (0, 0),
        (0, 0),
        (1, at(1)),
        (1, at(1)),
        (4, at(4)),
    ]
    assert bench.shard.position().durable_mark_ns == at(4)


def test_what_is_durable_of_one_producer_is_nothing_of_the_next() -> None:
    bench = Bench()
    bench.receive(5, WATCH, mark(1), checkpoint=True)

    other = bench.receive(1, a_trade(1), epoch=2)
    later = bench.receive(2, a_trade(2), epoch=2, checkpoint=True)

    assert (other.durable_seq, other.durable_mark_ns) == (0, at(1))
    assert (later.durable_seq, later.durable_mark_ns) == (2, at(1))


def test_a_keeper_that_is_behind_gets_no_more_than_is_needed() -> None:
    bench = Bench(checkpoint_s=0)
    bench.store.kept = 0

    for seq in range(1, 2 * MAX_UNCONFIRMED):
        bench.receive(seq, WATCH, mark(seq))
    behind = len(bench.store.checkpoints)
    bench.receive(100, a_trade(1), checkpoint=True)
    bench.store.kept = MAX_UNCONFIRMED
    bench.receive(101, mark(100))

    assert behind == MAX_UNCONFIRMED
    assert [kept.seq for kept in bench.store.checkpoints[behind:]] == [100, 101]


def test_a_position_tells_where_a_producer_continues() -> None:
    bench = Bench()
    bench.receive(1, WATCH, Watch("B", at(0), ["S"]), Watch("C", at(0), []), Stop("s", "Z", "it hung"), mark(1))
    event = OrderEvent(4, "A", "s", "day-s-A-1", "accepted", "buy", "market", "day", 1.0, at(1))
    bench.receive(2, event, Unwatch("C", at(1)), mark(2), epoch=2, checkpoint=True)

    position = bench.shard.position()

    assert (position.shard, position.epoch, position.source_epoch, position.seq) == (3, 7, 2, 2)
    assert (position.mark_ns, position.durable_mark_ns, position.lane.trades) == (at(2), at(2), 2)
    assert position.watched == {"A": [""], "B": ["S"]}
    assert bench.shard.engine.symbols["A"].last_event == 4
    assert (position.released, position.adopted, position.closed) == ({}, {}, False)
    assert position.stops == 1


def test_the_state_of_slots_that_go_comes_with_the_ack_of_the_batch_that_asked_for_it() -> None:
    bench = Bench()
    release = Release(1, [slot_of("A")], 2)
    bench.receive(1, WATCH, mark(1))

    acks = [bench.receive(2, release), bench.receive(2, release), bench.receive(3, mark(2))]

    state = bench.shard.position().released[1].state
    assert [ack.released for ack in acks] == [{1: state}, {1: state}, None]


def test_checkpoints_of_a_successor_continue_above_the_one_it_was_restored_from() -> None:
    bench = Bench()
    bench.receive(1, WATCH, a_trade(1), mark(1), checkpoint=True)
    bench.receive(2, mark(2), checkpoint=True)
    kept = bench.store.checkpoints[-1]

    successor = Bench.restored(kept)
    before = successor.shard.position()
    ack = successor.receive(3, mark(3))
    successor.receive(4, mark(4), checkpoint=True)

    assert checkpoint_symbols(kept) == ["A"]
    assert (before.seq, before.source_epoch, before.durable_mark_ns) == (2, 1, at(2))
    assert (ack.durable_seq, ack.durable_mark_ns) == (2, at(2))
    assert [(one.number, one.seq, one.epoch) for one in successor.store.checkpoints] == [(3, 4, 7)]
    assert (successor.shard.stats().batches, successor.shard.stats().restored) == (4, 1)


def test_latencies_continue_in_a_successor() -> None:
    bench = Bench()
    bench.receive(1, WATCH, a_trade(1, received_ns=bench.clock.now_ns - 5_000_000), checkpoint=True)

    successor = Bench.restored(bench.store.checkpoints[-1])

    before, after = bench.shard.stats(), successor.shard.stats()
    assert (after.time_in_queue, after.in_lane, after.on_link) == (
        before.time_in_queue,
        before.in_lane,
        before.on_link,
    )


def test_a_checkpoint_goes_at_the_first_mark_once_it_is_due() -> None:
    bench = Bench(checkpoint_s=2.0)

    bench.receive(1, WATCH, mark(1))
    bench.clock.now_ns += 2 * SECOND_NS
    bench.receive(2, a_trade(1))
    without_mark = list(bench.store.checkpoints)
    bench.receive(3, mark(2))
    bench.receive(4, mark(3))
    bench.clock.now_ns += 2 * SECOND_NS
    bench.receive(5, mark(4))

    # The first batch had a mark, but the checkpoint was not due; the second was due, but had a mark from before.
    assert [checkpoint.seq for checkpoint in without_mark] == [2]
    taken = [(kept.number, kept.session_ns, kept.seq, kept.final) for kept in bench.store.checkpoints]
    assert taken == [(1, at(1), 2, False), (2, at(4), 5, False)]
    assert {(kept.shard, kept.epoch) for kept in bench.store.checkpoints} == {(3, 7)}


def test_without_a_new_mark_no_checkpoint_is_taken() -> None:
    bench = Bench(checkpoint_s=0.5)
    bench.receive(1, WATCH, mark(1))
    bench.clock.now_ns += SECOND_NS
    bench.receive(2, a_trade(1))

    bench.clock.now_ns += SECOND_NS
    bench.receive(3, a_trade(2))

    assert len(bench.store.checkpoints) == 1


def test_the_end_of_the_session_is_always_a_checkpoint_and_the_last() -> None:
    bench = Bench(checkpoint_s=3600)

    bench.receive(1, WATCH, a_trade(1), mark(1), Close(at(1)))
    bench.receive(2, a_trade(2))

    (final,) = bench.store.checkpoints
    assert (final.final, final.session_ns) == (True, at(1))
    assert [(bar.symbol, bar.close, bar.flags) for bar in unpack_bars(final.bars)] == [("A", 10.0, "partial")]


def test_a_checkpoint_is_all_a_successor_needs() -> None:
    bench = Bench()
    bench.clock.now_ns += SECOND_NS
    bench.receive(1, WATCH, a_trade(1), mark(1))
    (kept,) = bench.store.checkpoints

    successor = Bench.restored(kept)
    successor.receive(2, a_trade(1), mark(1), a_trade(2), mark(2))
    bench.receive(2, a_trade(2), mark(2))

    audits = [one.shard.engine.audit for one in (bench, successor)]
    assert [(audit.trades, audit.repeated) for audit in audits] == [(2, 0), (2, 1)]
    numbers = [
        [intent.client_order_id for request in one.ear.requests for intent in request.intents]
        for one in (bench, successor)
    ]
    # What the checkpoint held unsent is sent again: the broker knows it by its id.
    assert numbers == [["day-s-A-1", "day-s-A-2"], ["day-s-A-1", "day-s-A-2"]]


def test_time_in_queue_is_the_sum_of_its_parts() -> None:
    bench = Bench()
    now_ns = bench.clock.now_ns

    bench.receive(1, WATCH, a_trade(1, received_ns=now_ns - 5_000_000), sent_ns=now_ns - 2_000_000)

    stats = bench.shard.stats()
    assert stats.in_lane.max_ns == 3_000_000
    assert stats.on_link.max_ns == 2_001_000
    assert stats.time_in_queue.max_ns == 5_001_000
    assert stats.data_latency.buckets == {}


def test_data_latency_is_reported_where_session_time_is_real_time() -> None:
    bench = Bench(live=True)
    now_ns = bench.clock.now_ns

    bench.receive(1, WATCH, a_trade(1, now_ns, ts_ns=now_ns - 9_000_000))

    assert bench.shard.stats().data_latency.max_ns == 9_001_000


def test_stats_stay_as_they_were_when_asked_for() -> None:
    bench = Bench()
    bench.receive(1, WATCH, a_trade(1))

    before = bench.shard.stats()
    bench.receive(2, a_trade(2))

    assert (before.audit.trades, before.batches, before.lane.trades) == (1, 1, 1)
    assert before.symbols == 1


def test_prices_of_what_is_held_go_to_the_broker_at_the_end() -> None:
    bench = Bench()
    bench.receive(1, WATCH, mark(1))
    (intent,) = bench.ear.requests[0].intents
    fill = OrderEvent(1, "A", "s", intent.client_order_id, "filled", "buy", "market", "day", 1.0, at(1), 1.0, 1.0, 10.0)
    bench.receive(2, fill, a_trade(1))

    bench.receive(3, Close(at(2)))

    assert bench.ear.requests[-1] == Request(prices={"A": 10.0}, mark_ns=at(1))


def test_a_batch_that_is_no_batch_is_not_swallowed() -> None:
    with pytest.raises(Exception, match="Expected"):
        Bench().shard.receive(b"\x01")
