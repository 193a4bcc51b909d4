"""The broker's parts: the ledger's password is read from the environment; the risk gate knows the day's hours."""

from pathlib import Path

import pytest
from postgres_server import PASSWORD, PostgresServer

from desk.config import Plan
from desk.model.errors import CredentialsError, PlanError
from desk.model.hours import TradingDay
from desk.model.orders import Intent, Report, Request, client_order_id
from desk.model.session import Session
from desk.wiring.broker_factory import build_order_manager, open_ledger, require_ledger


@pytest.fixture
def plan(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A plan with a ledger for which a password is needed."""
    for name in ("RAYDESK_LEDGER_PASSWORD", "RAYDESK_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
    postgres.execute("CREATE SCHEMA IF NOT EXISTS of_wiring AUTHORIZATION locked")
    url = postgres.url("locked", options="-csearch_path=of_wiring")
    return Plan.model_validate({"session": {"name": "day"}, "ledger": {"url": url}})


def test_the_password_comes_from_the_environment(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYDESK_LEDGER_PASSWORD", PASSWORD)

    require_ledger(plan, tmp_path)


@pytest.mark.parametrize("name", ["RAYDESK_LEDGER_PASSWORD", "ledger_password"])
def test_the_password_comes_from_a_secrets_file(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_text(f"{PASSWORD}\n")
    monkeypatch.setenv("RAYDESK_SECRETS_DIR", str(tmp_path))

    require_ledger(plan, tmp_path)


def test_without_a_password_there_is_nothing_to_begin_with(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="no password supplied") as caught:
        require_ledger(plan, tmp_path)

    assert caught.value.exit_status == 3


def test_a_server_that_is_away_is_reported_at_once(tmp_path: Path) -> None:
    plan = Plan.model_validate({"session": {"name": "day"}, "ledger": {"url": "postgresql+psycopg://me@127.0.0.1:1/d"}})

    with pytest.raises(PlanError, match="refused") as caught:
        require_ledger(plan, tmp_path)

    assert caught.value.place == "[ledger] url, postgresql+psycopg://me@127.0.0.1:1/d"


def test_orders_after_the_close_of_the_sessions_day_are_refused(tmp_path: Path) -> None:
    plan = Plan.model_validate({"session": {"name": "day"}})
    day = TradingDay(100, 200, 300, 400)
    session = Session("day", "2026-01-05", "UTC", 0, None, None, (), (), history=False, lockstep=True, hours=day)
    book = open_ledger(plan, session, tmp_path, now_ns=1)
    manager = build_order_manager(plan, session, book)
    intents = [Intent(f"day-s-X-{n}", "s", "X", n, "buy", 1.0, 298 + n, 0, False, 10.0) for n in (1, 2)]

    events = manager.decide(Request([*intents]))
    book.close()

    assert [(event.status, event.reason[:7]) for event in events] == [("accepted", ""), ("refused", "hours: ")]


@pytest.mark.parametrize(("day", "refused"), [("2024-03-05", True), ("2024-03-06", False)])
def test_the_loss_of_a_morning_counts_in_the_afternoon_and_not_on_the_next_day(
    tmp_path: Path, day: str, refused: bool
) -> None:
    plan = Plan.model_validate(
        {
            "session": {"name": "p", "mode": "paper"},
            "ledger": {"url": f"sqlite:///{tmp_path}/account.db"},
            "risk": {"max_daily_loss": 100.0},
        }
    )
    morning = open_ledger(plan, a_session("p-morning", "2024-03-05"), tmp_path, 1)
    manager = build_order_manager(plan, a_session("p-morning", "2024-03-05"), morning)
    manager.decide(Request([an_intent("p-morning")], mark_ns=1))
    report = Report(client_order_id("p-morning", "s", "X", 1), "X", 1, "filled", 2, 10.0, 100.0)
    manager.decide(Request(reports=[report], prices={"X": 80.0}, mark_ns=2))
    morning.close_session(3)
    morning.close()

    later = a_session("p-later", day)
    (tmp_path / "later").mkdir()
    book = open_ledger(plan, later, tmp_path / "later", 4)
    (event,) = build_order_manager(plan, later, book).decide(Request([an_intent("p-later")], mark_ns=5))
    book.close()

    assert (event.status == "refused") == refused
    assert event.reason == ("max_daily_loss: 200.00 >= 100.00" if refused else "")


def a_session(name: str, day: str) -> Session:
    return Session(name, day, "America/New_York", 0, None, None, (), ("X",), history=False, lockstep=False)


def an_intent(session: str) -> Intent:
    return Intent(client_order_id(session, "s", "X", 1), "s", "X", 1, "buy", 10.0, 1, 0, False, 100.0)
