"""The plan's ledger is opened with the password that the environment has for it."""

from pathlib import Path

import pytest
from postgres_server import PASSWORD, PostgresServer

from desk.config import Plan
from desk.model.errors import CredentialsError, PlanError
from desk.wiring.trading import require_ledger


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


def test_a_server_that_is_away_is_told_at_once(tmp_path: Path) -> None:
    plan = Plan.model_validate({"session": {"name": "day"}, "ledger": {"url": "postgresql+psycopg://me@127.0.0.1:1/d"}})

    with pytest.raises(PlanError, match="refused") as caught:
        require_ledger(plan, tmp_path)

    assert caught.value.place == "[ledger] url, postgresql+psycopg://me@127.0.0.1:1/d"
