import json

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.report.summary import ClassCounts, FeedSection, LatencySection, Quantiles, Summary, TicksSection
from desk.telemetry.histogram import Histogram

CONTRACT = {
    "run_id": "r1", "plan": "opening-range", "mode": "replay", "in_process": False, "ok": True, "problems": [],
    "started_ns": 0, "ended_ns": 0, "wall_s": 0.0,
    "ticks": {
        "trades": {
            "received": 3, "backfilled": 0, "applied": 2, "conflated": 0, "dropped": {"aged": 1}, "rejected": {},
            "skipped": 0,
        },
        "quotes": {
            "received": 0, "backfilled": 0, "applied": 0, "conflated": 0, "dropped": {}, "rejected": {}, "skipped": 7,
        },
        "notices": {
            "received": 2, "backfilled": 0, "applied": 1, "conflated": 0, "dropped": {}, "rejected": {"superseded": 1},
            "skipped": 0,
        },
    },
    "balanced": True,
    "events_per_s": {"produced": 0.0, "consumed": 0.0},
    "latency_ms": {
        "data_latency": None,
        "time_in_queue": {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0},
        "in_lane": {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0},
        "on_link": {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0},
    },
    "warnings": [],
    "gaps": [{"from_ns": 0, "to_ns": 0, "symbols": 0, "why": "reconnect", "repaired": True}],
    "consumers": [
        {
            "shard": 0, "pid": 0, "node": "n", "applied": 0, "symbols": 0, "busy": 0.0, "restarts": 0, "cpu_s": 0.0,
            "max_rss_mb": 0.0,
        }
    ],
    "producer": {"pid": 0, "cpu_s": 0.0, "max_rss_mb": 0.0, "reconnects": 0},
    "bars": 0,
    "venue_bars": {
        "compared": 2, "equal": 1, "agreement": 0.5, "differing": {"bar": 1},
        "first": [{"symbol": "SPY", "minute_ns": 0, "field": "bar", "ours": None, "theirs": 1.5}],
    },
    "decisions": 0,
    "orders": {"submitted": 0, "filled": 0, "canceled": 0, "rejected": 0, "refused_by_risk": 0,
    "refused": {}},
    "clock_skew_ms": 0.0,
    "feed": {"kind": "alpaca", "name": "iex", "up": True, "reconnects": 0, "refused_symbols": [], "entitlement": "",
    "delay_s": 0.0},
    "pnl": {"realized": 0.0, "unrealized": 0.0, "fees": 0.0},
}  # fmt: skip


def run(ticks: TicksSection | None = None, problems: list[str] | None = None) -> Summary:
    return Summary(
        run_id="r1",
        plan="p",
        mode="replay",
        in_process=True,
        problems=problems or [],
        started_ns=0,
        ended_ns=1,
        wall_s=1.0,
        ticks=ticks or TicksSection(),
    )


def test_a_summary_has_exactly_the_keys_of_the_contract_in_its_order() -> None:
    summary = Summary.of(CONTRACT)

    told = json.dumps(summary.builtins())

    assert told == json.dumps(CONTRACT)


def test_a_summary_survives_its_file() -> None:
    summary = run(TicksSection(trades=ClassCounts(received=1, dropped={"full": 1})))

    read = Summary.of(json.loads(json.dumps(summary.builtins())))

    assert read == summary


@given(st.integers(0, 9), st.integers(0, 9), st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=3))
def test_ticks_balance_when_each_is_applied_conflated_dropped_or_rejected(
    applied: int, conflated: int, causes: dict[str, int]
) -> None:
    went = applied + conflated + 2 * sum(causes.values())
    counts = ClassCounts(went, 0, applied, conflated, causes, causes, skipped=5)

    assert counts.balanced
    assert not msgspec.structs.replace(counts, backfilled=1).balanced


def test_a_run_without_problems_that_balances_is_ok() -> None:
    judged = run().judged()

    assert judged.ok
    assert judged.balanced


def test_a_problem_an_imbalance_or_a_failure_each_make_a_run_not_ok() -> None:
    unbalanced = TicksSection(quotes=ClassCounts(received=1))

    assert not run(problems=["a strategy was stopped"]).judged().ok
    assert not run(unbalanced).judged().ok
    assert not run(unbalanced).judged().balanced
    assert not run().judged(failed=True).ok


@pytest.mark.parametrize(
    ("kind", "up", "received", "good"),
    [
        ("alpaca", True, 1, True),
        ("alpaca", True, 0, False),
        ("alpaca", False, 1, False),
        ("tape", True, 0, True),
        ("synthetic", True, 0, True),
    ],
)
def test_a_live_run_without_its_feed_at_the_end_or_without_a_tick_is_neither_ok_nor_complete(
    kind: str, up: bool, received: int, good: bool
) -> None:
    ticks = TicksSection(trades=ClassCounts(received=received, applied=received))

    judged = msgspec.structs.replace(run(ticks), feed=FeedSection(kind=kind, up=up)).judged()

    assert (judged.ok, judged.complete) == (good, good)


def test_a_run_is_complete_when_it_did_not_break_off_and_balances() -> None:
    assert run(problems=["a strategy was stopped"]).judged().complete
    assert not run(TicksSection(quotes=ClassCounts(received=1))).judged().complete
    assert not run().judged(failed=True).complete


def test_only_a_failed_run_says_failed() -> None:
    failed = run().judged(failed=True)

    assert failed.builtins()["failed"] is True
    assert "failed" not in run().judged().builtins()
    assert not Summary.of(failed.builtins()).complete


def test_quantiles_are_reported_in_milliseconds() -> None:
    histogram = Histogram()
    histogram.add(np.arange(1, 101, dtype=np.int64) * 1_000_000)

    told = Quantiles.of(histogram)

    assert told is not None
    assert told.p50 == pytest.approx(50, rel=0.02)
    assert told.p99 == pytest.approx(99, rel=0.02)
    assert told.max == 100.0


def test_a_latency_that_was_never_measured_is_null() -> None:
    latencies = LatencySection(time_in_queue=Quantiles.of(Histogram()))

    assert msgspec.to_builtins(latencies)["time_in_queue"] is None
