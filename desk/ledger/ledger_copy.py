"""A ledger's file as it stands, while it may be open and written.

Tests: tests/desk/inprocess/test_remote_storage.py
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from desk.model.errors import LedgerError


def copy_ledger(ledger: Path, copy: Path) -> None:
    """Write a whole copy of a SQLite ledger, with what is in its log as yet. Raises LedgerError."""
    try:
        with closing(sqlite3.connect(ledger)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except sqlite3.Error as error:
        raise LedgerError(
            str(ledger), f"it cannot be copied to {copy}: {error}", "a whole ledger, and room for a copy", "Free space."
        ) from error
