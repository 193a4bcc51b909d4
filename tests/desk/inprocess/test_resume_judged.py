"""Refusals of a resume: folders that others can write, foreign files, and changed tapes, ledgers or code."""

import os
import shutil
import socket
import sqlite3
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from interrupted_run import Project, resume
from made_up_tape import OPEN_NS, market, write_tape

from desk.model.errors import DeskError, RunFailed, RunFolderError, StrategyError
from desk.model.units import SECOND_NS
from desk.runs.state_key import FILE

NUMBERS = count()
NOBODY = 65534
TAPE_S = 700

Changed = Callable[[Path], None]


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tape in two files."""
    folder = tmp_path_factory.mktemp("tape")
    write_tape(folder / "a.parquet", market(300, 20.0, OPEN_NS))
    write_tape(folder / "b.parquet", market(TAPE_S - 300, 20.0, OPEN_NS + 300 * SECOND_NS))
    return folder


@pytest.fixture(scope="module")
def project(tape: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A run that was broken off; tests work on copies."""
    made = Project(tmp_path_factory.mktemp("project"), tape, f"trader{next(NUMBERS)}")
    made.break_off()
    return made


@pytest.fixture
def run_dir(project: Project, tmp_path: Path) -> Path:
    return Path(shutil.copytree(project.run_dir, tmp_path / "run"))


def assert_refused(run_dir: Path, kind: type[DeskError], *words: str) -> None:
    with pytest.raises(kind) as caught:
        resume(run_dir)
    told = str(caught.value)
    assert all(word in told for word in words), told
    assert caught.value.remedy


def test_what_nobody_touched_is_resumed_to_the_same_end(project: Project, run_dir: Path) -> None:
    summary, folder = resume(run_dir)

    whole = project.whole()
    assert (summary.ok, summary.problems) == (True, [])
    for name in ("bars", "decisions"):
        expected, found = (pq.read_table(getattr(each, name)) for each in (whole, folder))
        assert found.num_rows > 0
        assert found.equals(expected)


def test_files_and_folders_are_private_whatever_the_umask(tape: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = Project(tmp_path, tape, f"trader{next(NUMBERS)}")
        made.break_off()
        found = {path: path.stat().st_mode & 0o777 for path in [made.run_dir, *made.run_dir.rglob("*")]}
        _, folder = resume(made.run_dir)
        found |= {path: path.stat().st_mode & 0o777 for path in [folder.dir, *folder.dir.rglob("*")]}
    finally:
        os.umask(before)

    assert {path.name for path in found} >= {"ledger.db", "desk.log", "resume.json", "summary.json", "bars.parquet"}
    assert {path.name: oct(mode) for path, mode in found.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}


EVERYWHERE = ["resume.json", "ledger.db", "ledger.rows", "desk.log", "keeper", "keeper/shard-0.state", "keeper.order"]


@pytest.mark.parametrize("name", [".", *EVERYWHERE])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_what_others_can_write_is_refused(run_dir: Path, name: str, mode: int) -> None:
    path = run_dir / name
    path.chmod(path.stat().st_mode | mode)

    assert_refused(run_dir, RunFolderError, str(path), "can write it", "go-w")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", [".", *EVERYWHERE])
def test_what_belongs_to_another_user_is_refused(run_dir: Path, name: str) -> None:
    os.chown(run_dir / name, NOBODY, NOBODY)

    assert_refused(run_dir, RunFolderError, f"it belongs to user {NOBODY}")


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def doubled(path: Path) -> None:
    path.with_name("elsewhere").hardlink_to(path)


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def plugged(path: Path) -> None:
    path.unlink()
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as plug:
            plug.bind(path.name)
    finally:
        os.chdir(here)
    path.chmod(0o600)


@pytest.mark.parametrize("change", [linked, doubled, piped, plugged])
@pytest.mark.parametrize("name", ["resume.json", "ledger.db", "keeper/shard-1.state", "desk.log"])
def test_what_is_no_plain_file_is_refused(run_dir: Path, name: str, change: Changed) -> None:
    change(run_dir / name)

    assert_refused(run_dir, RunFolderError, "plain files and folders")


def test_what_others_can_read_is_tightened_with_a_note(run_dir: Path) -> None:
    for path in [run_dir, *run_dir.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o044)

    summary, folder = resume(run_dir)

    assert any("others could read" in warning for warning in summary.warnings)
    assert "others could read" in folder.log.read_text()
    assert not [path for path in folder.dir.rglob("*") if path.stat().st_mode & 0o077]


def test_a_link_of_this_user_to_a_run_folder_may_be_named(run_dir: Path) -> None:
    link = run_dir.with_name("latest")
    link.symlink_to(run_dir)

    summary, folder = resume(link)

    assert (summary.ok, summary.run_id, folder.dir) == (True, "run", run_dir)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_link_of_another_user_is_refused(run_dir: Path) -> None:
    link = run_dir.with_name("latest")
    link.symlink_to(run_dir)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)

    assert_refused(link, RunFolderError, "symbolic link")


def edited(path: Path) -> None:
    path.write_text(path.read_text().replace('"broken"', '"bribed"'))


def forged(path: Path) -> None:
    """Another module to import, under the tag of the old content."""
    path.write_text(path.read_text().replace(".trading:Trader", ".helper:Trader"))


@pytest.mark.parametrize("change", [edited, forged])
def test_an_edited_resume_file_is_refused(run_dir: Path, change: Changed) -> None:
    change(run_dir / "resume.json")

    assert_refused(run_dir, RunFolderError, "resume.json", "authentication code")


def test_without_the_key_nothing_is_resumed(run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYDESK_STATE_DIR", str(tmp_path / "another"))

    assert_refused(run_dir, RunFolderError, "no state key", "RAYDESK_STATE_KEY")
    assert not (tmp_path / "another").exists()


@pytest.mark.parametrize("where", ["environment", "file"])
def test_under_another_key_nothing_is_resumed(
    run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "environment":
        monkeypatch.setenv("RAYDESK_STATE_KEY", "k" * 64)
    else:
        (tmp_path / FILE).write_text("ab" * 32)
        (tmp_path / FILE).chmod(0o600)
        monkeypatch.setenv("RAYDESK_STATE_DIR", str(tmp_path))

    assert_refused(run_dir, RunFolderError, "another key", "RAYDESK_STATE_KEY")


def swapped(keeper: Path) -> None:
    a, b, c = (keeper / name for name in ("shard-0.state", "shard-1.state", "c"))
    a.rename(c)
    b.rename(a)
    c.rename(b)


def all_swapped(keeper: Path) -> None:
    for path in list(keeper.glob("shard-0.*")):
        other = path.with_name(path.name.replace("shard-0", "shard-1"))
        path.rename(keeper / "c")
        if other.exists():
            other.rename(path)
        (keeper / "c").rename(other)


def copied(keeper: Path) -> None:
    (keeper / "shard-1.state").write_bytes((keeper / "shard-0.state").read_bytes())


def cut(keeper: Path) -> None:
    path = keeper / "shard-0.state"
    path.write_bytes(path.read_bytes()[:-1])


def flipped(name: str) -> Changed:
    def change(keeper: Path) -> None:
        path = keeper / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    change.__name__ = f"a bit of {name}"
    return change


def gone(name: str) -> Changed:
    def change(keeper: Path) -> None:
        (keeper / name).unlink()

    change.__name__ = f"{name} gone"
    return change


def emptied(keeper: Path) -> None:
    for path in keeper.iterdir():
        path.unlink()


DAMAGED = ["shard-0.state", "shard-1.state", "producer.state", "shard-1.bars", "../keeper.order"]


@pytest.mark.parametrize(
    "change",
    [swapped, all_swapped, copied, cut, emptied, shutil.rmtree, *map(flipped, DAMAGED), *map(gone, DAMAGED)],
    ids=lambda change: change.__name__,
)
def test_keeper_files_that_are_not_those_of_the_run_are_refused(run_dir: Path, change: Changed) -> None:
    change(run_dir / "keeper")

    assert_refused(run_dir, RunFailed, "keeper", "anew")


def test_keeper_files_of_another_run_of_the_plan_are_refused(project: Project, run_dir: Path, tmp_path: Path) -> None:
    project.run_dir, before = tmp_path / "second", project.run_dir
    try:
        project.break_off()
    finally:
        project.run_dir = before
    for name in ("shard-1.state", "shard-1.bars"):
        shutil.copy(tmp_path / "second" / "keeper" / name, run_dir / "keeper" / name)

    assert_refused(run_dir, RunFailed, "shard-1.state", "authentication code")


KEPT = ["shard-0.state", "shard-1.state", "producer.state"]


@pytest.fixture(scope="module")
def earlier(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder as it was at an earlier moment of the same run."""
    made, now = tmp_path_factory.mktemp("earlier") / "run", project.run_dir
    project.run_dir = made
    try:
        project.break_off(150)
        shutil.copytree(made, now.with_name("later"))
        project.run_dir = now.with_name("later")
        project.break_off(300)
    finally:
        project.run_dir = now
    return made


@pytest.mark.parametrize("names", [*([name] for name in KEPT), KEPT, None], ids=[*KEPT, "all states", "whole folder"])
def test_keeper_files_that_were_put_back_to_an_earlier_moment_are_refused(
    project: Project, earlier: Path, tmp_path: Path, names: list[str] | None
) -> None:
    later = Path(shutil.copytree(project.run_dir.with_name("later"), tmp_path / "run"))
    if names is None:
        shutil.rmtree(later / "keeper")
        shutil.copytree(earlier / "keeper", later / "keeper")
    for name in names or []:
        shutil.copy(earlier / "keeper" / name, later / "keeper" / name)

    assert_refused(later, RunFailed, "replaced by an older version", "anew")


def test_a_ledger_that_was_put_back_to_an_earlier_moment_is_refused(
    project: Project, earlier: Path, tmp_path: Path
) -> None:
    later = Path(shutil.copytree(project.run_dir.with_name("later"), tmp_path / "run"))
    shutil.copy(earlier / "ledger.db", later / "ledger.db")

    assert_refused(later, RunFolderError, "the ledger lacks", "rows of order_events")


def removed(run_dir: Path) -> None:
    for path in run_dir.glob("ledger.db*"):
        path.unlink()


def fresh(run_dir: Path) -> None:
    removed(run_dir)
    (run_dir / "ledger.db").touch(0o600)


def without_a_row(table: str) -> Changed:
    def change(run_dir: Path) -> None:
        with sqlite3.connect(run_dir / "ledger.db") as database:
            where = f"rowid = (SELECT MAX(rowid) FROM {table} WHERE session LIKE 'broken%')"
            assert database.execute(f"DELETE FROM {table} WHERE {where}").rowcount == 1
        database.close()

    change.__name__ = f"without a row of {table}"
    return change


def renamed(run_dir: Path) -> None:
    with sqlite3.connect(run_dir / "ledger.db") as database:
        database.execute("UPDATE notes SET text = 'another' WHERE name = 'identity'")
    database.close()


def uncounted(run_dir: Path) -> None:
    (run_dir / "ledger.rows").unlink()


TABLES = ["decisions", "order_events", "orders", "fills", "notes"]


@pytest.mark.parametrize(
    "change", [removed, fresh, renamed, uncounted, *map(without_a_row, TABLES)], ids=lambda change: change.__name__
)
def test_a_ledger_that_is_not_the_runs_or_has_lost_rows_is_refused(run_dir: Path, change: Changed) -> None:
    change(run_dir)

    assert_refused(run_dir, RunFolderError, "ledger", "start a new run")


def test_rows_of_others_in_the_ledger_are_no_matter(run_dir: Path) -> None:
    with sqlite3.connect(run_dir / "ledger.db") as database:
        database.execute("INSERT INTO sessions VALUES ('other', 'p', 'paper', '2013-10-07', 1, NULL)")
        database.execute("INSERT INTO notes VALUES ('other', 'n', 't')")
    database.close()

    assert resume(run_dir)[0].ok


def test_a_damaged_ledger_is_one_error_with_the_remedy(run_dir: Path) -> None:
    with sqlite3.connect(run_dir / "ledger.db") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    path = run_dir / "ledger.db"
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))

    assert_refused(run_dir, RunFailed, "ledger.db", ".recover")


@pytest.fixture
def own(tape: Path, tmp_path: Path) -> Project:
    """A run that was broken off, whose tape and code may be changed."""
    made = Project(tmp_path / "own", Path(shutil.copytree(tape, tmp_path / "tape")), f"trader{next(NUMBERS)}")
    made.break_off()
    return made


def test_a_tape_with_changed_added_missing_or_renamed_files_is_refused(own: Project, tape: Path) -> None:
    a, b = own.tape / "a.parquet", own.tape / "b.parquet"

    shutil.copy(b, own.tape / "c.parquet")
    assert_refused(own.run_dir, RunFolderError, "c.parquet was added")
    (own.tape / "c.parquet").unlink()
    b.rename(own.tape / "d.parquet")
    assert_refused(own.run_dir, RunFolderError, "b.parquet is gone", "d.parquet was added")
    (own.tape / "d.parquet").unlink()
    assert_refused(own.run_dir, RunFolderError, "b.parquet is gone")
    write_tape(b, market(TAPE_S - 300, 20.0, OPEN_NS + 300 * SECOND_NS, seed=2))
    assert_refused(own.run_dir, RunFolderError, "b.parquet has changed")
    shutil.copy(tape / "b.parquet", b)
    os.utime(a)

    assert resume(own.run_dir)[0].ok


def test_a_changed_plan_is_a_warning_and_changes_nothing(own: Project) -> None:
    before = own.plan.read_text()
    own.plan.write_text(before.replace("09:40", "09:39"))

    summary, _ = resume(own.run_dir)

    assert summary.ok
    assert [warning for warning in summary.warnings if str(own.plan) in warning and "has changed" in warning]
    own.plan.write_text(before)
    assert summary.bars == own.whole().read_summary()["bars"]


def test_changed_code_is_refused_unless_it_is_accepted(own: Project) -> None:
    own.helper.write_text("EVERY = 20  # of seconds\n")
    (own.helper.parent / "unused.py").touch()

    assert_refused(own.run_dir, StrategyError, own.helper.parent.name, "helper has changed", "--accept-changes")
    summary, folder = resume(own.run_dir, accept=True)

    assert summary.ok
    assert any("resumed with other code" in warning and "helper" in warning for warning in summary.warnings)
    assert "helper has changed" in folder.log.read_text()
