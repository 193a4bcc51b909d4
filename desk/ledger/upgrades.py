"""A ledger begun by another release: told at the opening, not at the first order."""

from sqlalchemy import Connection, inspect

from desk.ledger.schema import metadata
from desk.model.errors import LedgerError


def require_columns(connection: Connection, place: str) -> None:
    """See that every table has the columns of this release. Raises LedgerError."""
    inspector = inspect(connection)
    for table in metadata.sorted_tables:
        there = {column["name"] for column in inspector.get_columns(table.name)}
        missing = [column.name for column in table.columns if column.name not in there]
        if missing:
            raise LedgerError(
                place,
                f"table {table.name} without {', '.join(missing)}",
                "tables of this release",
                "Another release began this ledger: keep it as it is, and name another in [ledger] url.",
            )
