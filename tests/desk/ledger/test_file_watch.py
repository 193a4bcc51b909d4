"""Changes to a SQLite ledger's files from outside are detected at the next commit."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from desk.ledger import SqlLedger
from desk.model.errors import LedgerError
from desk.model.orders import Intent, OrderEvent
from desk.model.records import Decision

Done = Callable[[Path], None]

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run" / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqlLedger]:
    """A ledger that a session has written for some time."""
    made = begun(path)
    for number in range(1, 6):
        record(made, number)
    yield made
    made.close()


def begun(path: Path, session: str = "s") -> SqlLedger:
    ledger = SqlLedger(f"sqlite:///{path}")
    ledger.open_session(session, plan=session, mode="replay", day="2026-01-05", now_ns=1)
    return ledger


def record(ledger: SqlLedger, number: int, text: str = "") -> None:
    key = f"{ledger.session}-a-SPY-{number}"
    intent = Intent(key, f"a{text}", "SPY", number, "buy", 1.0, number, 0, False, 1.0)
    fill = OrderEvent(number, "SPY", "a", key, "filled", "buy", "market", "day", 1.0, number, 1.0, 1.0, 10.0)
    ledger.record([Decision(intent, "accepted")], [fill], {"last": str(number)})


def another(path: Path) -> Path:
    """A whole ledger of another desk."""
    made = begun(path.parent.parent / "another.db")
    record(made, 1)
    made.close()
    return path.parent.parent / "another.db"


def wal(path: Path) -> Path:
    return path.with_name("ledger.db-wal")


def deleted(path: Path) -> None:
    path.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def replaced_by_a_copy(path: Path) -> None:
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    copy.replace(path)


def replaced_by_another(path: Path) -> None:
    another(path).replace(path)


def overwritten_with_another(path: Path) -> None:
    path.write_bytes(another(path).read_bytes())


def overwritten_with_something(path: Path) -> None:
    path.write_bytes(b"minutes of the meeting " * 1000)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def cut(path: Path) -> None:
    os.truncate(path, 4096)


def log_deleted(path: Path) -> None:
    wal(path).unlink()


def log_replaced(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy(wal(path), copy)
    copy.replace(wal(path))


def log_emptied(path: Path) -> None:
    os.truncate(wal(path), 0)


def log_cut(path: Path) -> None:
    os.truncate(wal(path), wal(path).stat().st_size // 2)


def log_scribbled_on(path: Path) -> None:
    wal(path).write_bytes(b"\xa5" * wal(path).stat().st_size)


def index_deleted(path: Path) -> None:
    path.with_name("ledger.db-shm").unlink()


def folder_deleted(path: Path) -> None:
    shutil.rmtree(path.parent)


def folder_renamed(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def made_read_only(path: Path) -> None:
    path.chmod(0o400)


def log_made_read_only(path: Path) -> None:
    wal(path).chmod(0o400)


DONE = [
    *(deleted, moved, replaced_by_a_copy, replaced_by_another, overwritten_with_another, overwritten_with_something),
    *(emptied, cut, log_deleted, log_replaced, log_emptied, log_cut, log_scribbled_on, index_deleted),
    *(folder_deleted, folder_renamed, made_read_only, log_made_read_only),
]


@pytest.mark.parametrize("done", DONE, ids=lambda done: done.__name__)
@pytest.mark.parametrize("checkpointed", [False, True], ids=["in the log", "in the file"])
def test_it_is_noticed_at_the_next_commit(ledger: SqlLedger, path: Path, done: Done, checkpointed: bool) -> None:
    if checkpointed:
        checkpoint(path)
        record(ledger, 6)
    done(path)

    with pytest.raises(LedgerError) as caught:
        record(ledger, 7)

    assert "ledger.db" in caught.value.place
    assert caught.value.remedy


@pytest.mark.parametrize("done", DONE, ids=lambda done: done.__name__)
def test_it_is_noticed_at_the_end_where_there_is_no_commit(ledger: SqlLedger, path: Path, done: Done) -> None:
    done(path)

    with pytest.raises(LedgerError):
        ledger.close_session(9)


def test_an_older_copy_in_its_place_is_noticed(ledger: SqlLedger, path: Path) -> None:
    checkpoint(path)
    older = path.read_bytes()
    for number in range(6, 400):
        record(ledger, number)
    checkpoint(path)
    path.write_bytes(older)

    with pytest.raises(LedgerError):
        record(ledger, 400)


@pytest.mark.parametrize("table", ["decisions", "order_events", "orders", "fills"])
def test_rows_that_another_program_deletes_are_noticed_at_the_end(ledger: SqlLedger, path: Path, table: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"DELETE FROM {table} WHERE rowid = 1")

    with pytest.raises(LedgerError, match=f"1 of 5 rows of {table}"):
        ledger.close_session(9)


def read(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT COUNT(*) FROM orders").fetchone()[0] >= 5


def backed_up(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, closing(sqlite3.connect(path.with_name("backup.db"))) as target:
        database.backup(target)
    shutil.copy(path, path.with_name("copy.db"))


def checkpoint(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA wal_checkpoint(FULL)").fetchone()[0] == 0


def checkpoint_and_cut(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def written_by_another_session(path: Path) -> None:
    made = begun(path, "other")
    for number in range(1, 20):
        record(made, number)
    made.close_session(9)
    made.close()


def permissions_changed(path: Path) -> None:
    path.chmod(0o640)


@pytest.mark.parametrize(
    "done", [read, backed_up, checkpoint, checkpoint_and_cut, written_by_another_session, permissions_changed]
)
def test_what_does_no_harm_is_no_fault(ledger: SqlLedger, path: Path, done: Done) -> None:
    for number in range(6, 12):
        done(path)
        record(ledger, number)

    ledger.close_session(9)
    assert len(ledger.decisions()) == 11


def test_a_ledger_is_for_its_owner_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        ledger = begun(path)
        record(ledger, 1)
    finally:
        os.umask(before)

    assert {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()} == dict.fromkeys(
        ["ledger.db", "ledger.db-wal", "ledger.db-shm"], "0o600"
    )
    ledger.close()


AS_NOBODY = """
import os, sys
from pathlib import Path
sys.path[:0] = {path!r}
import test_file_watch as tests
from desk.model.errors import LedgerError
os.setgroups([])
os.setgid({nobody})
os.setuid({nobody})
path = Path({folder!r}) / "ledger.db"
ledger = tests.begun(path)
tests.record(ledger, 1)
os.chmod(path.parent if {folder_too} else path, 0o500 if {folder_too} else 0o400)
try:
    tests.record(ledger, 2)
except LedgerError as fault:
    print("noticed:", fault)
else:
    ledger.close_session(3)
    print("whole:", len(ledger.decisions()))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(("folder_too", "expected"), [(False, "noticed: "), (True, "whole: 2")])
def test_another_user_s_ledger_that_is_made_read_only(folder_too: bool, expected: str, tmp_path: Path) -> None:
    """A read-only folder alone takes nothing from a ledger whose files are there."""
    folder = Path(f"/tmp/raydesk-nobody-{os.getpid()}-{folder_too}")
    folder.mkdir(mode=0o700)
    try:
        os.chown(folder, NOBODY, NOBODY)
        code = AS_NOBODY.format(path=sys.path, nobody=NOBODY, folder=str(folder), folder_too=folder_too)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    finally:
        shutil.rmtree(folder)

    assert done.stdout.startswith(expected), done.stdout + done.stderr
