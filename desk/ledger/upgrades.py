"""A ledger begun by another release: told at the opening, not at the first order."""

from sqlalchemy import Connection, inspect

from desk.ledger.schema import metadata
from desk.model.errors import LedgerError


def require_columns(connection: Connection, place: str) -> None:
    """See that every table has the columns of this release. Raises LedgerError."""
    found = inspect(connection).get_multi_columns(filter_names=list(metadata.tables))
    there = {table: {column["name"] for column in columns} for (_, table), columns in found.items()}
    for table in metadata.sorted_tables:
        missing = [column.name for column in table.columns if column.name not in there[table.name]]
        if missing:
            raise LedgerError(
                place,
                f"table {table.name} without {', '.join(missing)}",
                "tables of this release",
                "Another release began this ledger: keep it as it is, and name another in [ledger] url.",
            )
