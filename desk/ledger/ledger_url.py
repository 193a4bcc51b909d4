"""The database URL of a plan's [ledger] url in a run folder."""

from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import make_url
from sqlalchemy.engine import URL

from desk.ledger.database_errors import translate_database_errors

PLACE: Final = "[ledger] url"
RUN_DIR: Final = "{run_dir}"


def ledger_url(written: str, run_dir: Path) -> URL:
    """The URL with the run folder's path in place of {run_dir}. The path may have characters that are special in URLs.

    Raises LedgerError if `written` is not a database URL.
    """
    with translate_database_errors(PLACE):
        url = make_url(written)
    database = url.database or ""
    # SQLite unescapes a file: URI (sqlite.org, "Uniform Resource Identifiers"), but not a plain path.
    folder = quote(str(run_dir)) if database.startswith("file:") else str(run_dir)
    return url.set(database=database.replace(RUN_DIR, folder))
