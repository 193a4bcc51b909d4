"""Translates database errors into errors with an expectation and a remedy.

Tests: tests/desk/ledger/test_ledger_faults.py
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from desk.model.errors import CredentialsError, DeskError, LedgerError

LOCK_NOT_AVAILABLE: Final = "55P03"

_ONLY_WRITER: Final = (
    "to be the only writer",
    "End the other process that writes this ledger, or use another ledger for this run.",
)
_FULL: Final = ("free space on the disk", "Free disk space. All committed rows are safe.")

# SQLite's messages (sqlite.org, "Result and Error Codes"; sqlite3ErrStr), with expectation and remedy.
SQLITE_MESSAGES: Final = (
    ("locked", *_ONLY_WRITER),
    ("is full", *_FULL),
    ("readonly", "a file that can be written", "Correct its permissions, or name another file in [ledger] url."),
    ("unable to open", "a file in a folder that exists and can be written", "Name another file in [ledger] url."),
    (
        "disk I/O error",
        "a disk that can be read and written",
        "Free space, check the disk and `ulimit -f`, then `desk run --resume`. All committed rows are safe.",
    ),
    ("not a database", "a SQLite database", "Move the file away, or name another file in [ledger] url."),
    (
        "malformed",
        "an undamaged SQLite database",
        "Move the file away; `sqlite3 FILE .recover` recovers readable rows.",
    ),
)

# SQLSTATE (PostgreSQL, "Error Codes"), with expectation and remedy.
POSTGRES_STATES: Final = {
    LOCK_NOT_AVAILABLE: _ONLY_WRITER,
    "53100": _FULL,
    "25006": (
        "a server that accepts writes",
        "Name the primary in [ledger] url, or add target_session_attrs=read-write.",
    ),
    "42501": (
        "a role that may create and write tables",
        "Grant the role CREATE on the schema and access to its tables, or give it its own database.",
    ),
}

# Messages of libpq when it cannot connect; they have no SQLSTATE.
POSTGRES_MESSAGES: Final = (
    ("database", "does not exist", "a database that exists", "Create it with createdb, or correct [ledger] url."),
    ("role", "does not exist", "a role that exists", "Create it with createuser, or correct [ledger] url."),
    (
        "pg_hba.conf",
        "",
        "a server that accepts this role from this host",
        "Add a line for it to the server's pg_hba.conf.",
    ),
    ("invalid connection option", "", "options of libpq", "Correct the options after the ? in [ledger] url."),
)
_PASSWORD_MESSAGES: Final = ("password authentication failed", "no password supplied", "authentication failed for user")


@contextmanager
def translate_database_errors(place: str) -> Iterator[None]:
    """Translate database errors raised in the block into a LedgerError at `place`, or a CredentialsError."""
    try:
        yield
    except (ArgumentError, NoSuchModuleError) as error:
        raise LedgerError(
            place, str(error), "a database URL", "Correct [ledger] url, for example sqlite:///ledger.db."
        ) from error
    except ModuleNotFoundError as error:
        raise LedgerError(
            place, f"the database driver {error.name} is not installed", "", f"Install {error.name}."
        ) from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _ledger_error(place, error) from error


def sqlstate(error: SQLAlchemyError) -> str | None:
    """The error's SQLSTATE; None if it has none."""
    state: str | None = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    return state


def _ledger_error(place: str, error: SQLAlchemyError | sqlite3.Error) -> DeskError:
    found = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
    if any(words in found for words in _PASSWORD_MESSAGES):
        return CredentialsError(
            place,
            found,
            "the role's password, in RAYDESK_LEDGER_PASSWORD or in a password file that PGPASSFILE names",
            "Set it in the environment, or as a file in the folder that RAYDESK_SECRETS_DIR names.",
        )
    state = sqlstate(error) if isinstance(error, SQLAlchemyError) else None
    if state in POSTGRES_STATES:
        return LedgerError(place, found, *POSTGRES_STATES[state])
    for words, expected, remedy in SQLITE_MESSAGES:
        if words in found:
            return LedgerError(place, found, expected, remedy)
    for first, second, expected, remedy in POSTGRES_MESSAGES:
        if first in found and second in found:
            return LedgerError(place, found, expected, remedy)
    return LedgerError(
        place,
        found,
        "a database that answers",
        "Check that it runs, is reachable and undamaged, then `desk run --resume`. All committed rows are safe.",
    )
