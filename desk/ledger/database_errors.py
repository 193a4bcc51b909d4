"""What can go wrong at the database, told so that its reader can act.

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
    "End the other process that writes this ledger, or give the run its own.",
)
_FULL: Final = ("free space on the disk", "Free some; everything committed before is safe.")

# What SQLite says (sqlite.org, "Result and Error Codes"; sqlite3ErrStr), what is expected, the remedy.
SQLITE_SAYS: Final = (
    ("locked", *_ONLY_WRITER),
    ("is full", *_FULL),
    ("readonly", "a file that can be written", "Correct its permissions, or name another in [ledger] url."),
    ("unable to open", "a file in a folder that exists and can be written", "Name another in [ledger] url."),
    (
        "disk I/O error",
        "a disk that takes and gives what is written",
        "Free space there, look at the disk and at `ulimit -f`; what was committed is safe. Then `desk run --resume`.",
    ),
    ("not a database", "a SQLite database", "Move the file away, or name another in [ledger] url."),
    (
        "malformed",
        "an undamaged SQLite database",
        "Move the file away; `sqlite3 FILE .recover` saves what can be read.",
    ),
)

# PostgreSQL, "Error Codes": SQLSTATE, what is expected, the remedy.
POSTGRES_STATES: Final = {
    LOCK_NOT_AVAILABLE: _ONLY_WRITER,
    "53100": _FULL,
    "25006": (
        "a server that takes writes",
        "Name the primary in [ledger] url, or add target_session_attrs=read-write.",
    ),
    "42501": (
        "a role that may make and write tables",
        "Grant it CREATE on the schema, and its tables to it, or give it a database of its own.",
    ),
}

# What libpq says when it cannot connect; there is no code then.
POSTGRES_SAYS: Final = (
    ("database", "does not exist", "a database that exists", "Make it with createdb, or correct [ledger] url."),
    ("role", "does not exist", "a role that exists", "Make it with createuser, or correct [ledger] url."),
    ("pg_hba.conf", "", "a server that lets this role in from here", "Add a line for it to the server's pg_hba.conf."),
    ("invalid connection option", "", "options that libpq knows", "Correct what follows the ? in [ledger] url."),
)
_PASSWORD_WORDS: Final = ("password authentication failed", "no password supplied", "authentication failed for user")


@contextmanager
def translate_database_errors(place: str) -> Iterator[None]:
    """Turns what the database raises within into a LedgerError at `place`, or a CredentialsError."""
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
        raise _fault(place, error) from error


def state_of(error: SQLAlchemyError) -> str | None:
    """The SQLSTATE, where the database gave one."""
    state: str | None = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    return state


def _fault(place: str, error: SQLAlchemyError | sqlite3.Error) -> DeskError:
    found = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
    if any(words in found for words in _PASSWORD_WORDS):
        return CredentialsError(
            place,
            found,
            "the role's password, in RAYDESK_LEDGER_PASSWORD or in a password file that PGPASSFILE names",
            "Set it in the environment, or as a file in the folder that RAYDESK_SECRETS_DIR names.",
        )
    state = state_of(error) if isinstance(error, SQLAlchemyError) else None
    if state in POSTGRES_STATES:
        return LedgerError(place, found, *POSTGRES_STATES[state])
    for words, expected, remedy in SQLITE_SAYS:
        if words in found:
            return LedgerError(place, found, expected, remedy)
    for first, second, expected, remedy in POSTGRES_SAYS:
        if first in found and second in found:
            return LedgerError(place, found, expected, remedy)
    return LedgerError(
        place,
        found,
        "a database that answers",
        "See that it runs, can be reached and is undamaged. What was committed is safe: `desk run --resume` goes on.",
    )
