"""What can go wrong at the database, told so that its reader can act."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from desk.model.errors import LedgerError

# What SQLite says (sqlite.org, "Result and Error Codes"; sqlite3ErrStr), what is expected, the remedy.
SQLITE_SAYS: Final = (
    ("locked", "to be the only writer", "End the other process that writes this ledger, or give the run its own."),
    ("is full", "free space on the disk", "Free some; everything committed before is safe."),
    ("readonly", "a file that can be written", "Correct its permissions, or name another in [ledger] url."),
    ("unable to open", "a file in a folder that exists and can be written", "Name another in [ledger] url."),
    ("not a database", "a SQLite database", "Move the file away, or name another in [ledger] url."),
    (
        "malformed",
        "an undamaged SQLite database",
        "Move the file away; `sqlite3 FILE .recover` saves what can be read.",
    ),
)


@contextmanager
def told(place: str) -> Iterator[None]:
    """Turns what the database raises within into a LedgerError at `place`."""
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
    except SQLAlchemyError as error:
        raise _fault(place, error) from error


def _fault(place: str, error: SQLAlchemyError) -> LedgerError:
    found = str(error.orig if isinstance(error, DBAPIError) else error)
    for words, expected, remedy in SQLITE_SAYS:
        if words in found:
            return LedgerError(place, found, expected, remedy)
    return LedgerError(place, found, "a database that answers", "See that it runs, can be reached and is undamaged.")
