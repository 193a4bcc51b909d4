"""The plan's models: defaults, bounds and contradictions."""

import json
import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from desk.config import (
    BarsPlan,
    ConsumersPlan,
    FeedPlan,
    FlowPlan,
    Plan,
    ScannerPlan,
    SessionPlan,
    StrategyPlan,
    plan_schema,
)
from desk.model.orders import client_order_id

USE = "strategies.examples.pressure:Pressure"


def plan(**tables: object) -> Plan:
    return Plan.model_validate({"session": {"name": "day"}, **tables})


def test_a_plan_needs_no_more_than_a_name() -> None:
    smallest = plan()

    assert smallest.feed.kind == "synthetic"
    assert smallest.feed.synthetic.symbols == 600
    assert smallest.flow.lag_threshold == 25_000
    assert smallest.session.lockstep


def test_lockstep_is_the_default_in_replay_alone() -> None:
    paper = SessionPlan(name="day", mode="paper")

    assert not paper.lockstep


def test_the_lag_threshold_follows_the_capacity() -> None:
    flow = FlowPlan(capacity=1000)

    assert flow.lag_threshold == 500


def test_names_default_to_the_class() -> None:
    strategy = StrategyPlan(use=USE)
    scanner = ScannerPlan(use="strategies.scanners.top_movers:TopMovers")

    assert (strategy.name, scanner.name) == ("Pressure", "TopMovers")


def test_minutes_come_to_on_bar_unless_the_plan_names_other_timeframes() -> None:
    assert StrategyPlan(use=USE).bars == ("1m",)
    assert plan(strategies=[{"use": USE, "bars": ["5m", "1d"]}]).strategies[0].bars == ("5m", "1d")


@pytest.mark.parametrize("bars", [["2m"], [], ["5m", "5m"], "5m", [5]])
def test_timeframes_that_do_not_exist_are_refused(bars: object) -> None:
    with pytest.raises(ValidationError, match="bars"):
        plan(strategies=[{"use": USE, "bars": bars}])


def test_a_strategy_trades_all_subscribed_symbols_unless_a_scanner_picks_them() -> None:
    everywhere = StrategyPlan(use=USE)
    picked = StrategyPlan(use=USE, scanner="TopMovers")

    assert everywhere.symbols == ("*",)
    assert picked.symbols == ()


def test_times_of_day_are_read() -> None:
    session = SessionPlan(name="day", start="09:30", stop="16:00:30")

    assert session.start_time is not None
    assert session.stop_time is not None
    assert (session.start_time.hour, session.stop_time.second) == (9, 30)
    assert SessionPlan(name="day").start_time is None


def test_a_plan_is_frozen() -> None:
    frozen = plan()

    with pytest.raises(ValidationError, match="frozen"):
        frozen.session.name = "other"  # type: ignore[misc]


def test_a_plan_travels_between_processes() -> None:
    sent = plan(strategies=[{"use": USE, "params": {"ratio": 3.0}}])

    assert pickle.loads(pickle.dumps(sent)) == sent
    assert Plan.model_validate(json.loads(sent.model_dump_json())) == sent


def test_the_longest_names_fit_a_client_order_id() -> None:
    longest = client_order_id("s" * 40, "t" * 40, "Y" * 16, 10**9)

    assert len(longest) <= 128


@pytest.mark.parametrize(
    ("model", "values", "words"),
    [
        (ConsumersPlan, {"min": 5, "max": 4}, "above max"),
        (ConsumersPlan, {"count": 9}, "above max"),
        (FlowPlan, {"capacity": 10, "lag_threshold": 11}, "above capacity"),
        (BarsPlan, {"grace_s": 5, "revise_s": 4}, "below grace_s"),
        (FeedPlan, {"kind": "tape"}, "path of a tape"),
        (SessionPlan, {"name": "a", "start": "16:00", "stop": "16:00"}, "not after"),
        (SessionPlan, {"name": "a", "mode": "paper", "lockstep": True}, "mode = "),
        (StrategyPlan, {"use": USE, "scanner": "A", "symbols": ["SPY"]}, "one of the two"),
        (StrategyPlan, {"use": USE, "symbols": []}, "at least one symbol"),
    ],
)
def test_keys_that_disagree_are_refused(model: type[Plan], values: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        model.model_validate(values)


@pytest.mark.parametrize("text", ["9:30", "24:00", "09:60", "09:30:61", "0930", "now"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        SessionPlan(name="day", start=text)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "é", "x" * 41, "a\n"])
def test_what_would_not_fit_a_folder_or_order_id_is_no_name(name: str) -> None:
    with pytest.raises(ValidationError):
        SessionPlan(name=name)


def test_every_key_is_described() -> None:
    undescribed = [
        (table, key)
        for table in plan_schema.tables()
        for key in plan_schema.table_keys(plan_schema.find_node(table)[1])
        if not plan_schema.find_node((*table, key))[1].get("description")
    ]

    assert undescribed == []


def test_every_number_has_bounds() -> None:
    unbounded = [
        (table, key)
        for table in plan_schema.tables()
        for key in plan_schema.table_keys(plan_schema.find_node(table)[1])
        if (node := plan_schema.find_node((*table, key))[1]).get("type") in {"integer", "number"}
        and not node.keys() & {"minimum", "exclusiveMinimum"}
    ]

    assert unbounded == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"session": {"name": "x", "mode": "replay"}, "feed": {"kind": "alpaca"}}, "with a live feed"),
        (
            {"session": {"name": "x", "mode": "paper"}, "feed": {"kind": "alpaca", "rest_url": "http://far.example"}},
            "unencrypted",
        ),
        (
            {"session": {"name": "x", "mode": "paper"}, "feed": {"kind": "alpaca", "rest_url": "http://127.0.0.1:0"}},
            "port 0",
        ),
        ({"session": {"name": "x", "mode": "paper", "clock": "venue"}}, "its own clock"),
        ({"session": {"name": "x", "mode": "paper"}, "feed": {"url": "ws://127.0.0.1:1/v2/sip"}}, "no `url`"),
    ],
)
def test_a_live_feed_asks_for_a_plan_that_fits_it(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Plan.model_validate(changed)

    assert words in str(caught.value)
