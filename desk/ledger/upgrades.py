"""Upgrades a ledger of another release when it is opened, or reports that this is impossible.

Tests: tests/desk/ledger/test_ledger_history.py
"""

from sqlalchemy import Column, Connection, Table, inspect
from sqlalchemy.schema import CreateColumn

from desk.ledger.ledger_tables import metadata
from desk.model.errors import LedgerError


def require_columns(connection: Connection, place: str) -> None:
    """Add the columns of later releases, and check that all other columns exist. Raises LedgerError."""
    found = inspect(connection).get_multi_columns(filter_names=list(metadata.tables))
    existing = {table: {column["name"] for column in columns} for (_, table), columns in found.items()}
    for table in metadata.sorted_tables:
        missing = [column for column in table.columns if column.name not in existing[table.name]]
        required = [column.name for column in missing if column.server_default is None]
        if required:
            raise LedgerError(
                place,
                f"table {table.name} without {', '.join(required)}",
                "tables of this release",
                "Another release created this ledger: keep it, and name another ledger in [ledger] url.",
            )
        for column in missing:
            _add_column(connection, table, column)


def _add_column(connection: Connection, table: Table, column: Column[object]) -> None:
    """Add a column: existing rows get its default."""
    dialect = connection.dialect
    name = dialect.identifier_preparer.format_table(table)
    definition = CreateColumn(column).compile(dialect=dialect)
    connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {definition}")
