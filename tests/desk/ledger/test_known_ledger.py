"""A run recognizes its ledger, in SQLite and in Postgres: by its identity, and by the run's rows."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

from desk.ledger import RowCountFile, SqlLedger, require_same_ledger
from desk.model.errors import RunFolderError
from desk.model.orders import Intent, OrderEvent
from desk.model.records import Decision

Opened = Callable[..., SqlLedger]
TABLES = ["decisions", "order_events", "orders", "fills", "notes"]


@pytest.fixture
def rows(tmp_path: Path) -> RowCountFile:
    return RowCountFile(tmp_path / "ledger.rows")


def write(ledger: SqlLedger, numbers: range) -> None:
    ledger.open_session("s", plan="p", mode="replay", day="2026-01-05", now_ns=1)
    for number in numbers:
        intent = Intent(f"s-{number}", "a", "SPY", number, "buy", 1.0, number, 0, False, 1.0)
        event = OrderEvent(number, "SPY", "a", f"s-{number}", "filled", "buy", "market", "day", 1.0, number, 1.0, 1.0)
        ledger.record([Decision(intent, "accepted")], [event], {f"note {number % 2}": "text"})
    ledger.close()


def known(url: str, rows: RowCountFile) -> None:
    require_same_ledger(make_url(url), "s", rows.read(), password=None)


def test_the_runs_own_ledger_is_known(opened: Opened, url: str, rows: RowCountFile) -> None:
    write(opened(url, rows=rows), range(1, 5))
    known(url, rows)
    write(opened(url, rows=rows), range(3, 8))  # the first two are a repeat

    known(url, rows)
    counts = rows.read().rows
    assert (counts.decisions, counts.order_events, counts.orders, counts.fills, counts.notes) == (7, 7, 7, 7, 2)


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_is_gone_is_named(opened: Opened, url: str, rows: RowCountFile, table: str) -> None:
    write(opened(url, rows=rows), range(1, 5))
    engine = create_engine(url)
    with engine.begin() as connection:
        column = "name" if table == "notes" else "client_order_id"
        value = "note 1" if table == "notes" else "s-2"
        connection.exec_driver_sql(f"DELETE FROM {table} WHERE {column} = '{value}'")
    engine.dispose()

    with pytest.raises(RunFolderError, match=rf"lacks 1 of \d rows of {table}"):
        known(url, rows)


def test_an_empty_database_and_another_ledger_are_refused(
    opened: Opened, url: str, fresh_url: Callable[[], str], rows: RowCountFile
) -> None:
    write(opened(url, rows=rows), range(1, 5))
    other = fresh_url()
    if other.startswith("sqlite"):
        Path(other.removeprefix("sqlite:///")).touch()

    with pytest.raises(RunFolderError, match="an empty database"):
        known(other, rows)
    write(opened(other), range(1, 5))
    with pytest.raises(RunFolderError, match="another ledger"):
        known(other, rows)


def test_to_look_for_a_ledger_makes_none(tmp_path: Path, opened: Opened, rows: RowCountFile) -> None:
    write(opened(f"sqlite:///{tmp_path}/ledger.db", rows=rows), range(1, 5))

    with pytest.raises(RunFolderError, match="is missing"):
        known(f"sqlite:///{tmp_path}/another.db", rows)

    assert not (tmp_path / "another.db").exists()
