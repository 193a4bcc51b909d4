"""The database URL that a plan's [ledger] url and a run folder make."""

from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote

from sqlalchemy import make_url
from sqlalchemy.engine import URL

from desk.ledger.faults import told
from desk.model.errors import LedgerError

PLACE: Final = "[ledger] url"
RUN_DIR: Final = "{run_dir}"
# What SQLAlchemy hands on to Python's sqlite3 (its documentation, "SQLite: Pysqlite"); the rest it leaves out unsaid.
SQLITE_OPTIONS: Final = frozenset(
    {"uri", "timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements"}
)


def ledger_url(written: str, run_dir: Path) -> URL:
    """The URL with the run folder in place of {run_dir}: a path, none of whose characters means anything in a URL.

    Raises LedgerError for what is no database URL.
    """
    with told(PLACE):
        url = make_url(written)
    if url.get_backend_name() == "sqlite":
        _require_options(written, url)
    database = url.database or ""
    # SQLite unescapes a file: URI (sqlite.org, "Uniform Resource Identifiers"), and a plain path not.
    folder = quote(str(run_dir)) if database.startswith("file:") else str(run_dir)
    return url.set(database=database.replace(RUN_DIR, folder))


def _require_options(written: str, url: URL) -> None:
    """Refuse a `?` that stands in a file's name: what follows it would be left out, and another file made."""
    options = written.partition("?")[2]
    unknown = [name for name, _ in parse_qsl(options, keep_blank_values=True) if name not in SQLITE_OPTIONS]
    if unknown and "uri" not in url.query:
        raise LedgerError(
            PLACE,
            f"`{unknown[0]}` after the `?`, which is no option of SQLite's",
            f"a path without `?`, or options after it ({', '.join(sorted(SQLITE_OPTIONS))})",
            "Name a file whose path has no `?`; {run_dir} may stand for one that has.",
        )
