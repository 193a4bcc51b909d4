"""Checks that a ledger is the one with which a run started, and has all rows that the run committed."""

from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL

from desk.ledger.database import connect
from desk.ledger.database_errors import translate_database_errors
from desk.ledger.identity import RowCounts, count_rows, known_identity
from desk.ledger.row_count_file import CommittedRows
from desk.ledger.server_retry import retry_until_answered
from desk.ledger.sqlite import database_file
from desk.model.errors import LedgerError, RunFolderError

REMEDY = "Restore the run's own ledger and the files beside it, or start a new run in another folder."


def require_same_ledger(
    url: URL, session: str, committed: CommittedRows, *, password: str | None, patience_s: float = 0.0
) -> None:
    """Check the ledger of an interrupted run without changing it.

    Raises RunFolderError if it is missing, is another ledger or has lost rows of the session, LedgerError if it is
    damaged or does not answer, and CredentialsError.
    """
    place = url.render_as_string(hide_password=True)
    path = database_file(url)
    if path is not None and not path.exists():
        raise RunFolderError(
            str(path), "the ledger of this run is missing", "the ledger with which the run started", REMEDY
        )
    with translate_database_errors(place):
        identity, rows, verdict = _read(url, path, session, password, patience_s)
    if verdict != "ok":
        raise LedgerError(
            str(path),
            f"the ledger is damaged: {verdict}",
            "an undamaged SQLite database",
            "Move the file away; `sqlite3 FILE .recover` recovers readable rows. Then start a new run.",
        )
    if identity != committed.ledger:
        found = f"another ledger ({identity})" if identity else "an empty database"
        raise RunFolderError(place, found, f"the ledger with which the run started ({committed.ledger})", REMEDY)
    if missing := committed.rows.missing(rows):
        raise RunFolderError(
            place, f"the ledger lacks {', '.join(missing)} of this run", "every row that the run committed", REMEDY
        )


def _read(
    url: URL, path: Path | None, session: str, password: str | None, patience_s: float
) -> tuple[str, RowCounts, str]:
    """The ledger's identity, the session's row counts, and the result of SQLite's check of the file ("ok")."""
    engine = connect(url if path is None else _existing_file_url(path), password, 5_000)

    def read() -> tuple[str, RowCounts, str]:
        with engine.connect() as connection:
            verdict = "ok" if path is None else connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
            identity = known_identity(connection)
            return identity, count_rows(connection, session) if identity else RowCounts(), verdict

    try:
        return retry_until_answered(read, patience_s)
    finally:
        engine.dispose()


def _existing_file_url(path: Path) -> URL:
    """A URL with which SQLite opens the file but never creates it."""
    return URL.create("sqlite", database=f"file:{quote(str(path))}", query={"mode": "rw", "uri": "true"})
