"""Where a session's history comes from: the feed's vendor, or the run that recorded the tape."""

from pathlib import Path

import pytest
from day_tapes import a_tape, row

from desk.config import Plan, load_plan
from desk.history.kept_history import KeptBars, KeptHistory, KeptPart
from desk.model.history import BarsQuestion, DeclaredHistory, HistoryNeeds, TradesQuestion
from desk.model.session import Session
from desk.wiring.history_factory import history_server, needs_history

ALPACA = '[feed]\nkind = "alpaca"\nurl = "ws://127.0.0.1:1/v2/iex"\n'
NOTHING = HistoryNeeds()
NEEDS = HistoryNeeds("2024-03-05", 1, 0, [DeclaredHistory({"1d": 1})])


def a_plan(folder: Path, text: str) -> Plan:
    (folder / "plan.toml").write_text('[session]\nname = "x"\n' + text)
    return load_plan(folder / "plan.toml")


def a_session(needs: HistoryNeeds = NOTHING) -> Session:
    return Session("x", "2024-03-05", "America/New_York", 1, None, None, (), ("*",), False, False, needs=needs)


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.setenv(name, "a key")


def test_a_live_feed_has_a_history_for_its_gaps_unless_the_plan_wants_none(tmp_path: Path) -> None:
    paper = ALPACA.replace("[feed]", 'mode = "paper"\n[feed]')

    assert needs_history(a_plan(tmp_path, paper), a_session())
    assert not needs_history(a_plan(tmp_path, paper + "[bars]\nrepair_s = 0\n"), a_session())
    assert not needs_history(a_plan(tmp_path, paper + 'channels = ["quotes"]\n'), a_session())
    assert needs_history(a_plan(tmp_path, paper + "[bars]\nrepair_s = 0\n"), a_session(NEEDS))


def test_a_tape_has_the_history_of_the_run_that_recorded_it(tmp_path: Path) -> None:
    (tmp_path / "run" / "tape").mkdir(parents=True)
    a_tape(tmp_path / "run" / "tape" / "day.parquet", row("2024-03-05 14:30"))
    plan = a_plan(tmp_path, f'[feed]\nkind = "tape"\npath = "{tmp_path / "run" / "tape"}"\n')

    assert history_server(plan, a_session(NEEDS), tmp_path / "own") is None
    KeptHistory(tmp_path / "run" / "history").put(KeptPart({"A": KeptBars({"1d": 1}, {"1d": []}, "few")}))
    server = history_server(plan, a_session(NEEDS), tmp_path / "own")

    assert server is not None
    answer = server.serve(BarsQuestion(1, ["A"], "2024-03-05", 1, {"1d": 1}))
    assert answer.why == ""
    assert getattr(answer, "problems") == {"A": "few"}  # noqa: B009 - it is an answer about bars
    assert "no trades" in server.serve(TradesQuestion(1, ["A"], 0, 1)).why
    assert not (tmp_path / "own").exists()


def test_a_made_up_market_has_none(tmp_path: Path) -> None:
    assert not needs_history(a_plan(tmp_path, '[feed]\nkind = "synthetic"\n'), a_session(NEEDS))
