"""An error of a PostgreSQL server is one DeskError with place and remedy, and without the password."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from postgres_server import PASSWORD, PostgresServer

from desk.ledger import SqlLedger
from desk.model.errors import CredentialsError, DeskError, LedgerError

Opened = Callable[..., SqlLedger]


def refusal(opened: Opened, url: str, kind: type[DeskError] = LedgerError, **options: object) -> DeskError:
    with pytest.raises(kind) as caught:
        opened(url, patience_s=0, **options)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_role_that_needs_a_password_is_let_in_with_it(opened: Opened, postgres: PostgresServer) -> None:
    postgres.execute("CREATE SCHEMA of_locked AUTHORIZATION locked")
    url = postgres.url("locked", options="-csearch_path=of_locked")

    ledger = opened(url, password=PASSWORD)
    ledger.record([], [], {"name": "text"})

    assert ledger.notes() == {"name": "text"}
    assert PASSWORD not in ledger.place
    assert PASSWORD not in repr(vars(ledger))


@pytest.mark.parametrize("password", [None, "sardine"])
def test_a_password_that_is_missing_or_wrong_is_a_matter_of_credentials(
    opened: Opened, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, password: str | None
) -> None:
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")

    fault = refusal(opened, postgres.url("locked"), CredentialsError, password=password)

    assert fault.exit_status == 3
    assert "RAYDESK_LEDGER_PASSWORD" in fault.expected
    assert "sardine" not in str(fault)


def test_a_password_file_does_as_well(
    opened: Opened, postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pgpass"
    file.write_text(f"*:*:*:locked:{PASSWORD}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    postgres.execute("CREATE SCHEMA of_file AUTHORIZATION locked")

    assert opened(postgres.url("locked", options="-csearch_path=of_file")).notes() == {}


def test_a_role_that_may_not_make_tables_is_reported(opened: Opened, postgres: PostgresServer) -> None:
    postgres.execute("CREATE SCHEMA of_others")
    postgres.execute("GRANT USAGE ON SCHEMA of_others TO locked")

    fault = refusal(opened, postgres.url("locked", options="-csearch_path=of_others"), password=PASSWORD)

    assert "permission denied for schema of_others" in fault.found
    assert "Grant the role CREATE" in fault.remedy


@pytest.mark.parametrize(
    ("change", "found", "remedy"),
    [
        (("/postgres?", "/nowhere?"), 'database "nowhere" does not exist', "createdb"),
        (("postgres@", "nobody@"), 'role "nobody" does not exist', "createuser"),
        (("options=", "optoins="), "invalid connection option", "the options after the ?"),
        (("host=/", "host=/nowhere/"), "No such file or directory", "Check that it runs"),
    ],
)
def test_what_the_url_names_wrongly_is_reported(
    opened: Opened, postgres: PostgresServer, change: tuple[str, str], found: str, remedy: str
) -> None:
    fault = refusal(opened, postgres.fresh_url().replace(*change))

    assert found in fault.found
    assert remedy in fault.remedy
    assert fault.place.startswith("postgresql+psycopg://")


def test_a_server_that_does_not_run_is_reported(opened: Opened) -> None:
    fault = refusal(opened, "postgresql+psycopg://desk@127.0.0.1:1/ledger")

    assert "refused" in fault.found
    assert fault.expected == "a database that answers"


def test_a_server_that_takes_no_writes_is_reported(opened: Opened, postgres: PostgresServer) -> None:
    fault = refusal(opened, postgres.url(options="-cdefault_transaction_read_only=on"))

    assert "read-only" in fault.found
    assert "primary" in fault.remedy


def test_desks_that_open_a_new_ledger_at_once_all_come_in(postgres: PostgresServer) -> None:
    url = postgres.fresh_url()

    with ThreadPoolExecutor(3) as desks:
        ledgers = list(desks.map(SqlLedger, [url] * 3))

    for ledger in ledgers:
        ledger.close()
