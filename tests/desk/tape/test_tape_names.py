"""The files of a tape: names that begin with "." or "_" are left out of folders and patterns."""

from pathlib import Path

import pytest
from s3_server import S3Server

from desk.config.plan_file import load_plan
from desk.model.errors import TapeError
from desk.model.ticks import Trade
from desk.tape.info import tape_info
from desk.tape.reader import TapeSource
from desk.tape.writer import TapeWriter

NAMES = ("a.parquet", "._a.parquet", "_b.parquet", ".hidden/c.parquet", "_temporary/0/d.parquet", "day/e.parquet")


def write(path: Path, at: int) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    with TapeWriter(path) as tape:
        tape.write_ticks([Trade(at, "AAA", at, at, 1.0, 1.0)])
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "tapes"
    for number, name in enumerate(NAMES):
        write(root / name, 10 * number + 10)
    (root / "._a.parquet").write_bytes(b"\0\5\26\7")  # what macOS leaves there
    return root


@pytest.mark.parametrize(
    ("named", "files"),
    [
        ("", ["a.parquet"]),
        ("*.parquet", ["a.parquet"]),
        ("[._ab]*.parquet", ["a.parquet"]),
        ("_*.parquet", ["_b.parquet"]),
        ("*/*.parquet", ["e.parquet"]),
        (".*/*.parquet", ["c.parquet"]),
        ("_temporary/*/d.parquet", ["d.parquet"]),
        ("_temporary/0", ["d.parquet"]),
        ("_b.parquet", ["_b.parquet"]),
    ],
)
def test_hidden_names_are_left_out_on_disk_and_in_stores(
    folder: Path, s3: S3Server, named: str, files: list[str]
) -> None:
    for name in NAMES:
        s3.objects["desk"][f"tapes/{name}"] = (folder / name).read_bytes()

    assert [file.name for file in TapeSource(folder / named).files] == files
    assert [file.name for file in TapeSource(s3.url(f"desk/tapes/{named}")).files] == files
    assert [file.name for file in TapeSource(f"file://{folder}/{named}").files] == files


@pytest.mark.parametrize(("named", "files"), [("**/*.parquet", ["a.parquet", "e.parquet"]), ("**/d.parquet", [])])
def test_folders_of_any_depth_are_looked_into_but_hidden_ones(folder: Path, named: str, files: list[str]) -> None:
    if files:
        assert [file.name for file in TapeSource(folder / named).files] == files
    else:
        with pytest.raises(TapeError, match=r"no Parquet file but d\.parquet"):
            TapeSource(folder / named)


def test_what_is_left_out_is_noted(folder: Path) -> None:
    (note,) = tape_info(folder).notes

    assert note == f'no part of {folder}: ._a.parquet, _b.parquet, whose names begin with "." or "_"'
    assert tape_info(folder / "a.parquet").notes == []


def test_a_folder_of_hidden_names_alone_is_refused_with_them(tmp_path: Path) -> None:
    write(tmp_path / "_a.parquet", 10)

    with pytest.raises(TapeError, match=r'no Parquet file but _a\.parquet, whose name begins with "\." or "_"'):
        TapeSource(tmp_path)


@pytest.mark.parametrize(
    "name", ["a?b", "a%20b", "a#b", "a b", "é", "[1]", "[a]*", "{run_dir}", "n\nl", "file:x", "s3:"]
)
@pytest.mark.parametrize(
    "written", ["{name}.parquet", "sub", "*/t.parquet", "./sub/*.parquet", "../{name}/sub/t.parquet"]
)
def test_a_tape_is_found_from_a_plan_whatever_its_folder_is_called(tmp_path: Path, name: str, written: str) -> None:
    folder = tmp_path / name
    write(folder / f"{name}.parquet", 10)
    write(folder / "sub" / "t.parquet", 10)
    escaped = written.format(name=name).replace("\n", "\\n")
    (folder / "plan.toml").write_text(f'[session]\nname = "x"\n[feed]\nkind = "tape"\npath = "{escaped}"\n')

    assert TapeSource(load_plan(folder / "plan.toml").feed.path).rows == 1


def test_a_tape_that_is_nowhere_is_not_looked_for_in_folders_of_like_names(tmp_path: Path) -> None:
    write(tmp_path / "axb" / "t.parquet", 10)
    (tmp_path / "a?b").mkdir()
    plan = tmp_path / "a?b" / "plan.toml"
    plan.write_text('[session]\nname = "x"\n[feed]\nkind = "tape"\npath = "t.parquet"\n')

    with pytest.raises(TapeError):
        TapeSource(load_plan(plan).feed.path)


def test_a_relative_name_that_looks_like_a_url_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "file:x.parquet", 10)
    monkeypatch.chdir(tmp_path)

    assert TapeSource("file:x.parquet").rows == 1
