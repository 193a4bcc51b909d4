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
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from sqlalchemy import Connection

from desk.ledger.identity import IDENTITY, OF_THE_LEDGER, RowCounts
from desk.model.errors import LedgerError

HEADER_BYTES: Final = 100
MARK_AT: Final = 68
MAGIC: Final = b"SQLite format 3\0"
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

    To close any descriptor of the files ends this process's locks on them (fcntl(2), "Record locking"), unless it was
    opened with O_PATH. So the only other one, for the header, is closed after the database.
    """

    def __init__(self, path: Path, connection: Connection, identity: str) -> None:
        self._path = path
        self._identity = identity
        self._open: dict[Path, int] = {}
        self._content: dict[Path, Content] = {}
        with suppress(sqlite3.Error):  # with a full disk the header stays in the log
            driver_connection(connection).execute("PRAGMA wal_checkpoint")
        self._version = _version(connection)
        self._header = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # Another connection that reads may keep the header in the log, too: then it cannot be checked.
        self._mark = application_id(identity) if self._read_mark() == application_id(identity) else None
        for suffix in BESIDE:
            file = Path(f"{path}{suffix}")
            if file.exists():
                self._open[file] = os.open(file, os.O_PATH | os.O_CLOEXEC)
        self._note()

    def check_before_commit(self, connection: Connection, session: str, counts: RowCounts) -> None:
        """Check the files before a commit; where others have changed them, what the database holds."""
        self.require_files()
        version = _version(connection)
        if self._changed(others=version != self._version):
            self.require_content(session, counts)
        self._version = version

    def check_after_commit(self) -> None:
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

    def _require_header(self) -> None:
        """Check the header of the file itself (sqlite.org, "Database File Format", section 1.3).

        What the database reads may still be in its log; then it does not look at the file.
        """
        if self._mark is None:
            return
        header = os.pread(self._header, HEADER_BYTES, 0)
        pages = int.from_bytes(header[28:32], "big")
        page_bytes = int.from_bytes(header[16:18], "big")
        page_bytes = 65_536 if page_bytes == 1 else page_bytes
        if not header.startswith(MAGIC) or self._read_mark() != self._mark:
            raise self._fault(
                self._path, "it was overwritten with something else", f"Put the run's own file back, {AGAIN}"
            )
        if os.fstat(self._header).st_size < pages * page_bytes:
            raise self._fault(self._path, "it was cut", f"Put the run's own file back, {AGAIN}")

    def require_content(self, session: str, counts: RowCounts) -> None:
        """Open the database anew, and check that it is undamaged, the same, and has all rows of the session."""
        self._require_header()
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
        """Close the descriptors, once the database is closed."""
        os.close(self._header)
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _read_mark(self) -> int:
        return int.from_bytes(os.pread(self._header, 4, MARK_AT), "big")

    def _changed(self, *, others: bool) -> bool:
        """Whether a file has changed in a way that the commits of other writers do not explain."""
        main, wal = self._path, Path(f"{self._path}-wal")
        now = {file: _content(descriptor) for file, descriptor in self._open.items()}
        if now.get(main) != self._content.get(main):
            return True
        if wal not in now or now[wal] == self._content[wal]:
            return False
        # A checkpoint may empty the log; none leaves a part of it.
        if 0 < now[wal].size < self._content[wal].size:
            raise self._fault(wal, "it was cut", f"Put the run's own files back, {AGAIN}")
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


def application_id(identity: str) -> int:
    """The number in the file's header ("application id") of the ledger with this identity."""
    return int(identity[:8], 16) & 0x7FFFFFFF


def driver_connection(connection: Connection) -> Any:
    """The driver's connection, on which a statement begins no transaction."""
    made = connection.connection.dbapi_connection
    assert made is not None
    return made


def _version(connection: Connection) -> Any:
    """Changes when another connection commits, and not with this one's own commits (SQLite, data_version)."""
    return driver_connection(connection).execute("PRAGMA data_version").fetchone()[0]


def _content(descriptor: int) -> Content:
    found = os.fstat(descriptor)
    return Content(found.st_size, found.st_mtime_ns)
