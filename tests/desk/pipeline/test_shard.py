import pytest
from pipeline_parts import NO_PARAMS, Clock, Store, at

from desk import strategy
from desk.engine import Engine, EngineConfig, StrategyEntry
from desk.model.batch import Ack, Batch, LaneTotals, encode
from desk.model.items import Close, Item, Second, Watch
from desk.model.orders import OrderEvent, Request
from desk.model.ticks import Quote, Trade
from desk.model.units import SECOND_NS
from desk.pipeline.local import LocalKeeper
from desk.pipeline.shard import Shard, ShardConfig

WATCH = Watch("A", at(0), [""])


class Buyer(strategy.Strategy):
    """Buys one share at every second."""

    def on_second(self, ctx: strategy.Context) -> None:
        ctx.buy(1)


class Ear:
    """A broker door that only listens."""

    def __init__(self) -> None:
        self.heard: list[Request] = []

    def submit(self, request: Request) -> None:
        self.heard.append(request)

    def decide(self, request: Request) -> list[OrderEvent]:
        raise NotImplementedError

    def close(self, session_ns: int) -> list[OrderEvent]:
        raise NotImplementedError


class Bench:
    """One shard with its doors, and a producer's pencil for batches."""

    def __init__(self, *, lockstep: bool = False, live: bool = False, checkpoint_s: float = 1.0) -> None:
        self.clock, self.store, self.ear = Clock(), Store(), Ear()
        config = EngineConfig("day", at(0), SECOND_NS, 900 * SECOND_NS, 10**12)
        entry = StrategyEntry("s", lambda: Buyer(NO_PARAMS))
        self.shard = Shard(
            ShardConfig(3, 7, round(checkpoint_s * SECOND_NS), lockstep, live),
            Engine(config, [entry], lambda: 0),
            self.clock,
            LocalKeeper(self.store),
            self.ear,
        )

    def receive(self, seq: int, *items: Item, epoch: int = 1, want_reply: bool = False, sent_ns: int = 0) -> Ack:
        totals = LaneTotals(trades=seq)
        batch = Batch("producer", epoch, 3, 1, seq, sent_ns, totals, list(items), want_reply)
        return self.shard.receive(encode(batch))


def a_trade(ordinal: int, received_ns: int = 0, ts_ns: int = 0) -> Trade:
    return Trade(ordinal, "A", ts_ns or at(0.5), received_ns, 10.0, 100.0)


def mark(seconds: float) -> Second:
    return Second(at(seconds), 0)


def test_an_ack_tells_who_applied_what() -> None:
    bench = Bench()

    ack = bench.receive(1, WATCH, a_trade(1), a_trade(2), Quote(3, "A", at(1), 0, 9.0, 1.0, 11.0, 1.0), mark(1))

    assert (ack.shard, ack.epoch, ack.seq, ack.mark_ns) == (3, 7, 1, at(1))
    assert (ack.trades, ack.quotes, ack.refused, ack.request) == (2, 1, False, None)
    assert ack.busy_ns > 0


def test_a_batch_that_comes_again_is_acknowledged_and_not_applied() -> None:
    bench = Bench()
    bench.receive(1, WATCH)
    bench.receive(2, a_trade(1))

    again = bench.receive(2, a_trade(2))

    assert (again.seq, again.trades, again.refused) == (2, 1, False)
    assert bench.shard.stats().batches == 2


def test_batches_of_an_older_producer_are_refused_and_a_newer_one_counts_from_its_own_beginning() -> None:
    bench = Bench()
    bench.receive(5, WATCH)

    newer = bench.receive(1, a_trade(1), epoch=2)
    older = bench.receive(6, a_trade(2))

    assert (newer.trades, newer.refused) == (1, False)
    assert (older.seq, older.trades, older.refused) == (6, 1, True)


def test_without_lockstep_a_request_goes_straight_to_the_broker_once() -> None:
    bench = Bench()

    ack = bench.receive(1, WATCH, mark(1))
    bench.receive(1, WATCH, mark(1))
    bench.receive(2, a_trade(1))

    assert ack.request is None
    assert [[intent.client_order_id for intent in request.intents] for request in bench.ear.heard] == [["day-s-A-1"]]


def test_in_lockstep_a_request_waits_for_the_batch_that_wants_a_reply() -> None:
    bench = Bench(lockstep=True)

    first = bench.receive(1, WATCH, mark(1))
    second = bench.receive(2, mark(2), want_reply=True)
    third = bench.receive(3, a_trade(1), want_reply=True)

    assert first.request is None
    assert second.request is not None
    assert [intent.client_order_id for intent in second.request.intents] == ["day-s-A-1", "day-s-A-2"]
    assert third.request == Request()
    assert bench.ear.heard == []


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
    assert [(bar.symbol, bar.close, bar.flags) for bar in final.bars] == [("A", 10.0, "partial")]


def test_a_checkpoint_is_all_a_successor_needs() -> None:
    bench = Bench()
    bench.clock.now_ns += SECOND_NS
    bench.receive(1, WATCH, a_trade(1), mark(1))
    (kept,) = bench.store.checkpoints

    successor = Bench()
    successor.shard.engine.restore(kept.state, kept.bars)
    successor.receive(1, a_trade(1), mark(1), a_trade(2), mark(2))
    bench.receive(2, a_trade(2), mark(2))

    audits = [one.shard.engine.audit for one in (bench, successor)]
    assert [(audit.trades, audit.repeated) for audit in audits] == [(2, 0), (2, 1)]
    numbers = [
        [intent.client_order_id for request in one.ear.heard for intent in request.intents]
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


def test_data_latency_is_told_where_session_time_is_real_time() -> None:
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
    (intent,) = bench.ear.heard[0].intents
    fill = OrderEvent(1, "A", "s", intent.client_order_id, "filled", "buy", "market", "day", 1.0, at(1), 1.0, 1.0, 10.0)
    bench.receive(2, fill, a_trade(1))

    bench.receive(3, Close(at(2)))

    assert bench.ear.heard[-1] == Request(prices={"A": 10.0})


def test_a_batch_that_is_no_batch_is_not_swallowed() -> None:
    with pytest.raises(Exception, match="Expected"):
        Bench().shard.receive(b"\x01")
