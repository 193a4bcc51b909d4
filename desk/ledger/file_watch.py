"""Watches a SQLite ledger's files: detects at the next commit if something other than a commit changed them.

SQLite keeps its files open and continues to write to them after they were deleted, moved or replaced (sqlite.org, "How
To Corrupt An SQLite Database File", section 4). Before and after each commit, the desk checks that the paths still lead
to the open files, that these are writable, and that only commits have changed them. If something else has, it reopens
the database and checks its content: other desks and backup tools may change the files without loss.
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from sqlalchemy import Connection

from desk.ledger.identity import IDENTITY, LEDGER_NOTES, RowCounts
from desk.model.errors import LedgerError

HEADER_BYTES: Final = 100
APPLICATION_ID_OFFSET: Final = 68
MAGIC: Final = b"SQLite format 3\0"
FILE_SUFFIXES: Final = ("", "-wal", "-shm")
THEN_RESUME: Final = "then `desk run --resume`; or start a new run in another folder."
_IDENTITY: Final = "SELECT text FROM notes WHERE session = ? AND name = ?"
_COUNT: Final = "SELECT COUNT(*) FROM {} WHERE session = ?"


class FileState(NamedTuple):
    """Size and time of modification, which change with a file's content."""

    size: int
    mtime_ns: int


class FileWatch:
    """Watches the files of the open database at `path`. All checks raise LedgerError.

    Closing any descriptor of the files releases this process's locks on them (fcntl(2), "Record locking"), unless it
    was opened with O_PATH. The only descriptor without O_PATH, for the header, is therefore closed after the database.
    """

    def __init__(self, path: Path, connection: Connection, identity: str) -> None:
        self._path = path
        self._identity = identity
        self._open: dict[Path, int] = {}
        self._states: dict[Path, FileState] = {}
        with suppress(sqlite3.Error):  # if the disk is full, the header stays in the log
            driver_connection(connection).execute("PRAGMA wal_checkpoint")
        self._version = _data_version(connection)
        self._header = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # A reader on another connection can also keep the header in the log; then it cannot be checked.
        self._application_id = (
            application_id(identity) if self._read_application_id() == application_id(identity) else None
        )
        for suffix in FILE_SUFFIXES:
            file = Path(f"{path}{suffix}")
            if file.exists():
                self._open[file] = os.open(file, os.O_PATH | os.O_CLOEXEC)
        self._remember_states()

    def check_before_commit(self, connection: Connection, session: str, counts: RowCounts) -> None:
        """Check the files before a commit; if something changed them, also the content of the database."""
        self.require_files()
        version = _data_version(connection)
        if self._changed(others=version != self._version):
            self.require_content(session, counts)
        self._version = version

    def check_after_commit(self) -> None:
        """Check after a commit that the files it was written to are still in place."""
        self.require_files()
        self._remember_states()

    def require_files(self) -> None:
        """Check that every path leads to the open file, and that the file is writable."""
        for file, descriptor in self._open.items():
            opened = os.fstat(descriptor)
            try:
                found = file.stat()
            except OSError as error:
                raise self._fault(
                    file,
                    f"deleted or moved while the desk writes it ({error.strerror})",
                    f"Restore it and the files beside it, {THEN_RESUME}",
                ) from error
            if (found.st_dev, found.st_ino) != (opened.st_dev, opened.st_ino):
                raise self._fault(file, "replaced with another file", f"Restore the run's own file, {THEN_RESUME}")
            if not found.st_mode & stat.S_IWUSR or not os.access(file, os.W_OK, effective_ids=True):
                raise self._fault(
                    file, "made read-only", f"Make it writable again (chmod u+w, chattr -i, remount), {THEN_RESUME}"
                )

    def _require_header(self) -> None:
        """Check the header in the file (sqlite.org, "Database File Format", section 1.3).

        The database may read the same pages from its log, without the file.
        """
        if self._application_id is None:
            return
        header = os.pread(self._header, HEADER_BYTES, 0)
        pages = int.from_bytes(header[28:32], "big")
        page_bytes = int.from_bytes(header[16:18], "big")
        page_bytes = 65_536 if page_bytes == 1 else page_bytes
        if not header.startswith(MAGIC) or self._read_application_id() != self._application_id:
            raise self._fault(
                self._path, "overwritten with other content", f"Restore the run's own file, {THEN_RESUME}"
            )
        if os.fstat(self._header).st_size < pages * page_bytes:
            raise self._fault(self._path, "truncated", f"Restore the run's own file, {THEN_RESUME}")

    def require_content(self, session: str, counts: RowCounts) -> None:
        """Reopen the database, and check its integrity, its identity, and that it has all rows of the session."""
        self._require_header()
        with (
            self._translate_errors(),
            closing(sqlite3.connect(f"file:{quote(str(self._path))}?mode=ro", uri=True)) as database,
        ):
            (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            found = database.execute(_IDENTITY, (LEDGER_NOTES, IDENTITY)).fetchone()
            rows = RowCounts(
                *(
                    database.execute(_COUNT.format(table), (session,)).fetchone()[0]
                    for table in RowCounts.__struct_fields__
                )
            )
        if found != (self._identity,):
            raise self._fault(
                self._path, "overwritten with another ledger", f"Restore the run's own file, {THEN_RESUME}"
            )
        if missing := counts.missing(rows):
            raise self._fault(
                self._path,
                f"it has lost {', '.join(missing)}",
                "An old copy was restored, or it was edited: start a new run.",
            )

    def close(self) -> None:
        """Close the descriptors, after the database is closed."""
        os.close(self._header)
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _read_application_id(self) -> int:
        return int.from_bytes(os.pread(self._header, 4, APPLICATION_ID_OFFSET), "big")

    def _changed(self, *, others: bool) -> bool:
        """Whether a file has changed, unless commits of `others` explain it."""
        main, wal = self._path, Path(f"{self._path}-wal")
        now = {file: _file_state(descriptor) for file, descriptor in self._open.items()}
        if now.get(main) != self._states.get(main):
            return True
        if wal not in now or now[wal] == self._states[wal]:
            return False
        # A checkpoint of SQLite empties the log completely or not at all.
        if 0 < now[wal].size < self._states[wal].size:
            raise self._fault(wal, "truncated", f"Restore the run's own files, {THEN_RESUME}")
        return not others or now[wal].size < self._states[wal].size

    def _remember_states(self) -> None:
        self._states = {file: _file_state(descriptor) for file, descriptor in self._open.items()}

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._fault(
                self._path,
                f"overwritten, truncated or damaged while the desk writes it ({error})",
                "Move it away; `sqlite3 FILE .recover` recovers readable rows. Start a new run in another folder.",
            ) from error

    def _fault(self, file: Path, found: str, remedy: str) -> LedgerError:
        return LedgerError(str(file), found, "a ledger that only the desk changes during the run", remedy)


def application_id(identity: str) -> int:
    """The application ID in the file's header, derived from the ledger's identity."""
    return int(identity[:8], 16) & 0x7FFFFFFF


def driver_connection(connection: Connection) -> Any:
    """The driver's connection: a statement on it begins no transaction."""
    driver = connection.connection.dbapi_connection
    assert driver is not None
    return driver


def _data_version(connection: Connection) -> Any:
    """A number that changes with commits of other connections only (SQLite, data_version)."""
    return driver_connection(connection).execute("PRAGMA data_version").fetchone()[0]


def _file_state(descriptor: int) -> FileState:
    found = os.fstat(descriptor)
    return FileState(found.st_size, found.st_mtime_ns)
