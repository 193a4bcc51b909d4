"""A ledger begun by another release: brought up to this one where that is safe, else reported at the opening.

Tests: tests/desk/ledger/test_ledger_history.py
"""

from sqlalchemy import Column, Connection, Table, inspect
from sqlalchemy.schema import CreateColumn

from desk.ledger.ledger_tables import metadata
from desk.model.errors import LedgerError


def require_columns(connection: Connection, place: str) -> None:
    """Add the columns that came with later releases, and check that all others exist. Raises LedgerError."""
    found = inspect(connection).get_multi_columns(filter_names=list(metadata.tables))
    there = {table: {column["name"] for column in columns} for (_, table), columns in found.items()}
    for table in metadata.sorted_tables:
        missing = [column for column in table.columns if column.name not in there[table.name]]
        unknown = [column.name for column in missing if column.server_default is None]
        if unknown:
            raise LedgerError(
                place,
                f"table {table.name} without {', '.join(unknown)}",
                "tables of this release",
                "Another release began this ledger: keep it as it is, and name another in [ledger] url.",
            )
        for column in missing:
            _add(connection, table, column)


def _add(connection: Connection, table: Table, column: Column[object]) -> None:
    """Add a column: existing rows get its default."""
    dialect = connection.dialect
    name = dialect.identifier_preparer.format_table(table)
    definition = CreateColumn(column).compile(dialect=dialect)
    connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {definition}")
