"""An error of SQLite is one LedgerError with place and remedy, and earlier rows are unharmed."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from desk.ledger import SqlLedger
from desk.model.errors import LedgerError
from desk.model.orders import Intent
from desk.model.records import Decision

Opened = Callable[..., SqlLedger]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


def decision(number: int, strategy: str = "a") -> Decision:
    intent = Intent(f"s-{number}", strategy, "SPY", number, "buy", 1.0, number, 0, False, 1.0)
    return Decision(intent, "accepted")


def test_a_folder_that_is_absent_is_reported(opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="unable to open database file") as caught:
        opened(f"sqlite:///{tmp_path}/absent/ledger.db")

    assert caught.value.place == f"sqlite:///{tmp_path}/absent/ledger.db"
    assert "[ledger] url" in caught.value.remedy


def test_a_file_that_may_not_be_written_is_reported(opened: Opened, url: str, tmp_path: Path) -> None:
    opened(url).close()

    with pytest.raises(LedgerError, match="readonly"):
        opened(f"sqlite:///file:{tmp_path}/ledger.db?mode=ro&uri=true").record([decision(1)], [])


def test_a_file_that_is_no_database_is_reported_and_left_alone(opened: Opened, url: str, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"minutes of the meeting " * 100)

    with pytest.raises(LedgerError, match="not a database"):
        opened(url)

    assert path.read_bytes() == b"minutes of the meeting " * 100


def test_a_damaged_database_is_reported(opened: Opened, url: str, tmp_path: Path) -> None:
    ledger = opened(url)
    ledger.record([decision(number) for number in range(500)], [])
    ledger.close()
    path = tmp_path / "ledger.db"
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))

    with pytest.raises(LedgerError, match="malformed"):
        opened(url).record([decision(501)], [])


def test_a_ledger_that_another_writer_holds_is_reported_and_continues_afterwards(
    opened: Opened, url: str, tmp_path: Path
) -> None:
    ledger = opened(url, busy_timeout_ms=10)
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(LedgerError, match="locked") as caught:
        ledger.record([decision(1)], [])

    assert "only writer" in caught.value.expected
    other.execute("ROLLBACK")
    other.close()
    ledger.record([decision(1)], [])
    assert ledger.decisions() == [decision(1)]


def test_a_reader_does_not_wait_for_a_writer(opened: Opened, url: str, tmp_path: Path) -> None:
    ledger = opened(url, busy_timeout_ms=10)
    ledger.record([decision(1)], [])
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    found = ledger.decisions()

    other.close()
    assert found == [decision(1)]


def test_a_full_disk_is_reported_and_loses_nothing_committed(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.record([decision(1)], [])
    with ledger._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(LedgerError, match="is full"):
        ledger.record([decision(number, "x" * 1_000) for number in range(2, 20)], [])

    assert ledger.decisions() == [decision(1)]


@pytest.mark.parametrize("url", ["ledger.db", "nosuch://host/ledger", ""])
def test_a_url_that_names_no_database_is_reported(opened: Opened, url: str) -> None:
    with pytest.raises(LedgerError, match=r"\[ledger\] url"):
        opened(url)


def test_a_missing_driver_is_named(opened: Opened) -> None:
    with pytest.raises(LedgerError, match="oracledb is not installed"):
        opened("oracle+oracledb://desk@nowhere/ledger")


def test_a_password_in_the_url_is_never_shown(opened: Opened) -> None:
    with pytest.raises(LedgerError) as caught:
        opened("oracle+oracledb://desk:swordfish@nowhere/ledger")

    assert "swordfish" not in str(caught.value)
