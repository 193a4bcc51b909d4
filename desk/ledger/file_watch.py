"""Watch over a SQLite ledger's files: what is done to them beside the database is noticed at the next commit.

SQLite keeps its files open and writes on, also when they were deleted, moved or replaced (sqlite.org, "How To Corrupt
An SQLite Database File", section 4). So the desk looks before and after each commit: do the paths still lead to the
open files, may they be written, and has anything but a commit changed them? Where something has, the database is opened
anew and read: other desks and backup tools may change files, and lose nothing.
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from sqlalchemy import Connection

from desk.ledger.identity import IDENTITY, OF_THE_LEDGER, RowCounts
from desk.model.errors import LedgerError

BESIDE: Final = ("", "-wal", "-shm")
AGAIN: Final = "then `desk run --resume`, or run the plan anew in another folder."
_IDENTITY: Final = "SELECT text FROM notes WHERE session = ? AND name = ?"
_COUNT: Final = "SELECT COUNT(*) FROM {} WHERE session = ?"


class Content(NamedTuple):
    """What changes with a file's content."""

    size: int
    mtime_ns: int


class FileWatch:
    """Watches the files of the database at `path`, from the moment that it is open. All checks raise LedgerError.

    Descriptors are opened with O_PATH: to close another one would end SQLite's locks (fcntl(2), "Record locking").
    """

    def __init__(self, path: Path, connection: Connection, identity: str) -> None:
        self._path = path
        self._identity = identity
        self._open: dict[Path, int] = {}
        self._content: dict[Path, Content] = {}
        self._version = _version(connection)
        for suffix in BESIDE:
            file = Path(f"{path}{suffix}")
            if file.exists():
                self._open[file] = os.open(file, os.O_PATH | os.O_CLOEXEC)
        self._note()

    def before(self, connection: Connection, session: str, counts: RowCounts) -> None:
        """Check the files before a commit; where others have changed them, what the database holds."""
        self.require_files()
        version = _version(connection)
        if self._changed(others=version != self._version):
            self.require_content(session, counts)
        self._version = version

    def after(self) -> None:
        """Check after a commit that it went into files that are still in their place."""
        self.require_files()
        self._note()

    def require_files(self) -> None:
        """Check that every path leads to the file that is open, and that it may be written."""
        for file, descriptor in self._open.items():
            opened = os.fstat(descriptor)
            try:
                found = file.stat()
            except OSError as error:
                raise self._fault(
                    file,
                    f"it is gone ({error.strerror}): it was deleted or moved while the desk writes it",
                    f"Put it and the files beside it back, {AGAIN}",
                ) from error
            if (found.st_dev, found.st_ino) != (opened.st_dev, opened.st_ino):
                raise self._fault(file, "another file was put in its place", f"Put the run's own file back, {AGAIN}")
            if not found.st_mode & stat.S_IWUSR or not os.access(file, os.W_OK, effective_ids=True):
                raise self._fault(
                    file, "it was made read-only", f"Make it writable again (chmod u+w, chattr -i, remount), {AGAIN}"
                )

    def require_content(self, session: str, counts: RowCounts) -> None:
        """Open the database anew, and check that it is undamaged, the same, and has all rows of the session."""
        with self._told(), closing(sqlite3.connect(f"file:{quote(str(self._path))}?mode=ro", uri=True)) as database:
            (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            found = database.execute(_IDENTITY, (OF_THE_LEDGER, IDENTITY)).fetchone()
            rows = RowCounts(
                *(
                    database.execute(_COUNT.format(table), (session,)).fetchone()[0]
                    for table in RowCounts.__struct_fields__
                )
            )
        if found != (self._identity,):
            raise self._fault(
                self._path, "it was overwritten with another ledger", f"Put the run's own file back, {AGAIN}"
            )
        if missing := counts.missing(rows):
            raise self._fault(
                self._path, f"it has lost {', '.join(missing)}", "It was put back or edited: run the plan anew."
            )

    def close(self) -> None:
        """Close the descriptors."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _changed(self, *, others: bool) -> bool:
        """Whether a file has changed in a way that the commits of other writers do not explain."""
        main, wal = self._path, Path(f"{self._path}-wal")
        now = {file: _content(descriptor) for file, descriptor in self._open.items()}
        if now.get(main) != self._content.get(main):
            return True
        if wal not in now or now[wal] == self._content[wal]:
            return False
        return not others or now[wal].size < self._content[wal].size

    def _note(self) -> None:
        self._content = {file: _content(descriptor) for file, descriptor in self._open.items()}

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._fault(
                self._path,
                f"it was overwritten, cut or damaged while the desk writes it ({error})",
                "Move it away; `sqlite3 FILE .recover` saves what can be read. Run the plan anew in another folder.",
            ) from error

    def _fault(self, file: Path, found: str, remedy: str) -> LedgerError:
        return LedgerError(str(file), found, "a ledger that the desk alone changes while it runs", remedy)


def _version(connection: Connection) -> Any:
    """Changes when another connection commits, and not with this one's own commits (SQLite, data_version)."""
    driver = connection.connection.dbapi_connection
    assert driver is not None
    return driver.execute("PRAGMA data_version").fetchone()[0]


def _content(descriptor: int) -> Content:
    found = os.fstat(descriptor)
    return Content(found.st_size, found.st_mtime_ns)
