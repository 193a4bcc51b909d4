"""Copies a SQLite ledger that may be open for writing.

Tests: tests/desk/inprocess/test_remote_storage.py
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from desk.model.errors import LedgerError


def copy_ledger(ledger: Path, copy: Path) -> None:
    """Write a consistent copy, with the rows that are still in the write-ahead log. Raises LedgerError."""
    try:
        with closing(sqlite3.connect(ledger)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except sqlite3.Error as error:
        raise LedgerError(
            str(ledger),
            f"it cannot be copied to {copy}: {error}",
            "an undamaged ledger, and space for a copy",
            "Free disk space.",
        ) from error
