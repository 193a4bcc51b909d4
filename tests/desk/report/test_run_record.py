from typing import Any

import msgspec
from pipeline_parts import MemoryDesk, Row, Rows

from desk.consumer.shard_stats import ShardStats
from desk.model.batch import LaneTotals
from desk.model.session import Session
from desk.orders import OrderSummary
from desk.report.run_record import FeedRecord, ProcessUsage, RunRecord, strategy_problems, summarize_run, warnings
from desk.telemetry.audit import Audit, StrategyFault
from desk.telemetry.histogram import HistogramSnapshot

SESSION = Session("day", "2013-10-07", "UTC", 0, None, 60, ("A",), ("A",), history=False, lockstep=True)


def some_stats(shard: int, **more: Any) -> ShardStats:
    fields: dict[str, Any] = {
        "shard": shard,
        "mark_ns": 0,
        "symbols": 2,
        "batches": 1,
        "busy_ns": 500_000_000,
        "lane": LaneTotals(),
        "audit": Audit(),
        "time_in_queue": HistogramSnapshot(),
        "in_lane": HistogramSnapshot(),
        "on_link": HistogramSnapshot(),
        "data_latency": HistogramSnapshot(),
        "prices": {},
    }
    return ShardStats(**(fields | more))


def a_record(*shards: ShardStats, **more: Any) -> RunRecord:
    fields: dict[str, Any] = {
        "run_id": "r",
        "plan": "p",
        "mode": "replay",
        "in_process": True,
        "session": SESSION,
        "started_ns": 1_000_000_000,
        "ended_ns": 4_500_000_000,
        "play_ns": 2_000_000_000,
        "feed": FeedRecord({"trades": 0, "quotes": 0}, {}, {}, []),
        "shards": list(shards),
        "consumers": [ProcessUsage(11, "n", 1.5, 64.0)] * len(shards),
        "producer": ProcessUsage(10, "n", 2.5, 128.0),
        "orders": OrderSummary(),
        "bars": 3,
        "decisions": 4,
        "problems": [],
    }
    return RunRecord(**(fields | more))


def test_ticks_are_added_up_over_shards_and_causes() -> None:
    first = some_stats(
        0,
        audit=Audit(trades=5, quotes=7, rejected_trades={"late": 1}, rejected_quotes={"unwatched": 1}, repeated=9),
        lane=LaneTotals(trades_aged=1, trades_full=2, quotes_full=3, quotes_conflated=4),
    )
    second = some_stats(1, audit=Audit(trades=1, rejected_trades={"late": 1, "unwatched": 1}))
    feed = FeedRecord({"trades": 14, "quotes": 15}, {"trades": {"price": 2}}, {"quotes": 6}, [])

    summary = summarize_run(a_record(first, second, feed=feed))

    trades, quotes = summary.ticks.trades, summary.ticks.quotes
    assert (trades.received, trades.applied, trades.skipped) == (14, 6, 0)
    assert trades.dropped == {"aged": 1, "full": 2}
    assert trades.rejected == {"price": 2, "late": 2, "unwatched": 1}
    assert (quotes.received, quotes.applied, quotes.conflated, quotes.skipped) == (15, 7, 4, 6)
    assert (quotes.dropped, quotes.rejected) == ({"full": 3}, {"unwatched": 1})
    # 14 = 6 + 3 + 5 trades and 15 = 7 + 4 + 3 + 1 quotes: what came again counts for nothing.
    assert (summary.balanced, summary.ok) == (True, True)


def test_one_tick_that_nobody_accounts_for_is_no_balance() -> None:
    summary = summarize_run(a_record(some_stats(0), feed=FeedRecord({"trades": 1, "quotes": 0}, {}, {}, [])))

    assert (summary.balanced, summary.ok) == (False, False)


def test_rates_are_over_the_time_of_play_and_busy_is_its_fraction() -> None:
    shard = some_stats(0, audit=Audit(trades=6, quotes=4))

    summary = summarize_run(a_record(shard, feed=FeedRecord({"trades": 6, "quotes": 4}, {}, {}, [])))

    assert (summary.events_per_s.produced, summary.events_per_s.consumed) == (5.0, 5.0)
    assert summary.wall_s == 3.5
    assert summary.consumers[0].busy == 0.25


def test_a_run_with_problems_or_a_failure_is_not_ok_though_it_balances() -> None:
    troubled = summarize_run(a_record(problems=["something"]))
    failed = summarize_run(a_record(failed=True))

    assert (troubled.ok, troubled.balanced, troubled.complete) == (False, True, True)
    assert (failed.ok, failed.balanced, failed.complete) == (False, True, False)


def test_money_is_a_number_with_a_fraction_even_where_nothing_was_traded() -> None:
    summary = summarize_run(a_record(orders=OrderSummary(realized=0, unrealized=0, fees=0)))

    assert msgspec.json.encode(summary.pnl) == b'{"realized":0.0,"unrealized":0.0,"fees":0.0}'


def a_fault(symbol: str, at_ns: int, what: str = "ValueError: no", detail: str = "") -> StrategyFault:
    return StrategyFault("s", symbol, "on_second", at_ns, what, detail)


def test_stopped_strategies_are_problems_in_canonical_order_whatever_their_shard() -> None:
    shards = [some_stats(0, audit=Audit(stopped=[a_fault("B", 2), a_fault("C", 1)]))]
    shards.append(some_stats(1, audit=Audit(stopped=[a_fault("A", 2, detail="Traceback\n  there")])))

    problems = strategy_problems(shards)

    assert problems == [
        "strategy s was stopped for C: on_second raised ValueError: no",
        "strategy s was stopped for A: on_second raised ValueError: no\nTraceback\n  there",
        "strategy s was stopped for B: on_second raised ValueError: no",
    ]


def test_a_strategy_stopped_by_the_watchdog_is_reported_with_the_reason() -> None:
    fault = StrategyFault("s", "A", "watchdog", 1, "no progress for 5 s in on_bar")

    assert strategy_problems([some_stats(0, audit=Audit(stopped=[fault]))]) == [
        "strategy s was stopped for A: no progress for 5 s in on_bar"
    ]


def test_symbols_without_history_are_one_problem_for_each_reason() -> None:
    slow = [(symbol, "no answer in 30 s") for symbol in "GABCDEF"]
    shards = [some_stats(0, audit=Audit(without_history=[*slow, ("H", "not found")]))]
    shards.append(some_stats(1, audit=Audit(without_history=[("A", "no answer in 30 s")])))

    assert strategy_problems(shards) == [
        "no history of A, B, C, D, E and 2 more: no answer in 30 s; strategies that need it run with ctx.warm false",
        "no history of H: not found; strategies that need it run with ctx.warm false",
    ]


def test_rejected_rows_and_slow_calls_are_worth_a_warning() -> None:
    shard = some_stats(0, audit=Audit(slow_calls=1_200, slow=[a_fault("A", 1, "61.0 ms in one call")]))
    feed = FeedRecord({}, {}, {}, ["tape: row 7: price"])

    assert warnings(a_record(shard, feed=feed)) == [
        "rejected tape: row 7: price",
        "1,200 calls of strategies took longer than strategy_budget_ms; the first of them:",
        "strategy s on A: on_second took 61.0 ms in one call",
    ]
    assert warnings(a_record(some_stats(0))) == []


def test_the_figures_of_a_desk_are_those_of_its_parts() -> None:
    desk = MemoryDesk(Rows([Row(1), Row(2, kind="quote"), Row(3, price=0.0), Row(4, "B")]), ("A",)).play()
    counts = desk.feed.counts
    feed = FeedRecord(counts.received, counts.rejected, counts.skipped, counts.examples)

    summary = summarize_run(a_record(*(shard.stats() for shard in desk.consumers.values()), feed=feed))

    assert summary.balanced
    assert (summary.ticks.trades.applied, summary.ticks.quotes.applied, summary.ticks.trades.skipped) == (1, 1, 1)
    assert sum(summary.ticks.trades.rejected.values()) == 1
    assert summary.latency_ms.data_latency is None
    assert summary.latency_ms.time_in_queue is not None


def test_what_came_again_or_could_not_be_revised_is_counted_in_a_warning() -> None:
    one = some_stats(0, audit=Audit(rejected_trades={"duplicate": 2, "unmatched": 1, "late": 5}))
    other = some_stats(1, audit=Audit(rejected_trades={"duplicate": 1_000}))

    lines = warnings(a_record(one, other))

    assert [line.split(":")[0] for line in lines] == ["rejected 1,002 `duplicate`", "rejected 1 `unmatched`"]
