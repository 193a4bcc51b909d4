"""What a session needs of the past, by its strategies and its time of day."""

from pathlib import Path

import pytest

from desk.config import Plan, load_plan
from desk.model.history import DeclaredHistory
from desk.model.hours import TradingDay
from desk.model.session import Session
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.wiring.history_needs import with_needs

OPEN_NS = 1_767_623_400 * SECOND_NS  # 2026-01-05 09:30 in New York
HOURS = TradingDay(OPEN_NS - 330 * MINUTE_NS, OPEN_NS, OPEN_NS + 390 * MINUTE_NS, OPEN_NS + 630 * MINUTE_NS)
STRATEGIES = """
from desk.strategy import Strategy

class Twenty(Strategy):
    history = {"1d": 20, "5m": 5}

    def on_second(self, ctx): ...

class Nine(Twenty):
    history = {"5m": 9}

class Plain(Strategy):
    def on_second(self, ctx): ...
"""
LIVE = """
[session]
name = "x"
mode = "paper"
start = "START"
[feed]
kind = "alpaca"
symbols = ["A", "B"]
"""
ENTRY = '\n[[strategies]]\nuse = "needy_strategies:{}"\nname = "{}"\nsymbols = {}\n'


@pytest.fixture(autouse=True)
def _strategies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needy_strategies.py").write_text(STRATEGIES)
    monkeypatch.syspath_prepend(tmp_path)


def a_plan(folder: Path, *entries: tuple[str, str], start: str = "", feed: str = LIVE) -> Plan:
    text = feed.replace("START", start) + "".join(ENTRY.format(use, use, symbols) for use, symbols in entries)
    (folder / "plan.toml").write_text(text)
    return load_plan(folder / "plan.toml")


def a_session(start_ns: int) -> Session:
    return Session(
        "x", "2026-01-05", "America/New_York", start_ns, None, None, (), ("A", "B"), False, False, hours=HOURS
    )


def test_a_symbol_needs_the_most_that_any_strategy_declares_for_it(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, ("Twenty", '["A"]'), ("Nine", '["*"]'), ("Plain", '["*"]'))

    needs = with_needs(plan, a_session(OPEN_NS)).needs

    assert needs.declared == [DeclaredHistory({"5m": 5, "1d": 20}, frozenset("A")), DeclaredHistory({"5m": 9})]
    assert needs.of("A") == {"5m": 9, "1d": 20}
    assert needs.of("B") == {"5m": 9}
    assert (needs.day, needs.day_start_ns) == ("2026-01-05", HOURS.start_ns)


@pytest.mark.parametrize(
    ("start", "begun_ns", "expected_ns"),
    [
        ("", OPEN_NS + 90 * MINUTE_NS, OPEN_NS),
        ("", OPEN_NS - MINUTE_NS, HOURS.start_ns),
        ("10:00", OPEN_NS + 90 * MINUTE_NS, OPEN_NS + 30 * MINUTE_NS),
    ],
)
def test_the_days_minutes_begin_at_the_plans_start_or_at_the_open(
    start: str, begun_ns: int, expected_ns: int, tmp_path: Path
) -> None:
    plan = a_plan(tmp_path, ("Plain", '["*"]'), start=start)

    assert with_needs(plan, a_session(begun_ns)).needs.minutes_from_ns == expected_ns


def test_a_plan_that_declares_nothing_on_recorded_data_needs_nothing(tmp_path: Path) -> None:
    made_up = '[session]\nname = "x"\n[feed]\nkind = "synthetic"\n'
    session = a_session(OPEN_NS)

    assert with_needs(a_plan(tmp_path, ("Plain", '["*"]'), feed=made_up), session) is session
    assert with_needs(a_plan(tmp_path), session) is session
