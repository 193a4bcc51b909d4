"""A tape in a store is read like a tape on the local disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_server import S3Server

from desk.model.errors import CredentialsError, DeskError, RunFailed, TapeError
from desk.model.ticks import Trade
from desk.tape.info import tape_info
from desk.tape.reader import ROWS_PER_BLOCK, TapeSource
from desk.tape.writer import TapeWriter


def write(path: Path, *times: int) -> bytes:
    """A tape of trades received at these times; its bytes."""
    with TapeWriter(path) as tape:
        tape.write_ticks([Trade(at, f"SYM{at % 3}", at, at, 1.0 + at, 1.0) for at in times])
    return path.read_bytes()


def content(tape: str | Path) -> list[tuple[int, str, float]]:
    return [
        (at, block.symbols[symbol], price)
        for block in TapeSource(tape).blocks()
        for at, symbol, price in zip(block.recv_ns.tolist(), block.symbol, block.price.tolist(), strict=True)
    ]


@pytest.fixture
def days(tmp_path: Path, s3: S3Server) -> Path:
    """A folder of three tapes and a note, and the same in the store under desk/days."""
    folder = tmp_path / "days of may"
    folder.mkdir()
    for number, name in enumerate(("a.parquet", "b.parquet", "c.parquet")):
        s3.objects["desk"][f"days/{name}"] = write(folder / name, *range(100 * number, 100 * number + 10))
    (folder / "notes.txt").write_text("no tape")
    s3.objects["desk"]["days/notes.txt"] = b"no tape"
    s3.objects["desk"]["days/sub/d.parquet"] = b"below the folder"
    return folder


@pytest.mark.parametrize("named", ["a.parquet", "", "*.parquet", "[bc].par*"])
def test_a_file_url_gives_what_the_path_gives(days: Path, named: str) -> None:
    url = f"file://{str(days).replace(' ', '%20')}/{named}"

    assert content(url) == content(days / named)
    assert [file.place for file in TapeSource(url).files] == [
        f"file://{str(days).replace(' ', '%20')}/{file.name}" if named in {"", "*.parquet", "[bc].par*"} else url
        for file in TapeSource(days / named).files
    ]


@pytest.mark.parametrize("named", ["a.parquet", "", "*.parquet", "[bc].par*"])
def test_a_store_gives_what_the_folder_gives(days: Path, s3: S3Server, named: str) -> None:
    url = s3.url(f"desk/days/{named}")

    assert content(url) == content(days / named)
    assert tape_info(url) == tape_info(days / named)


def test_patterns_may_stand_in_folders_names_too(days: Path, s3: S3Server) -> None:
    for month, day in (("2013-09", "a"), ("2013-10", "b")):
        s3.objects["desk"][f"{month}/1/day.parquet"] = s3.objects["desk"][f"days/{day}.parquet"]

    files = TapeSource(s3.url("desk/2013-*/*/day.parquet")).files

    assert [file.place for file in files] == ["s3://desk/2013-09/1/day.parquet", "s3://desk/2013-10/1/day.parquet"]


def test_a_tape_of_several_row_groups_and_blocks_is_read_whole(tmp_path: Path, s3: S3Server) -> None:
    rows = 3 * ROWS_PER_BLOCK
    s3.objects["desk"]["long.parquet"] = write(tmp_path / "long.parquet", *range(rows))

    assert [at for at, _, _ in content(s3.url("desk/long.parquet"))] == list(range(rows))


def refusals(s3: S3Server) -> Iterator[tuple[str, str]]:
    yield s3.url("desk/none.parquet"), "does not exist"
    yield s3.url("desk/none/*.parquet"), "no file matches"
    yield s3.url("nobucket/day.parquet"), "does not exist"
    yield s3.url("desk/empty"), "without a Parquet file"
    yield s3.url("desk/days/notes.txt"), "cannot be read"
    yield "ftp://host/day.parquet", "unknown scheme `ftp`"
    yield "s3://key:hidden@desk/day.parquet", "credentials in the URL"


@pytest.mark.usefixtures("days")
def test_urls_without_a_tape_are_refused(s3: S3Server) -> None:
    s3.objects["desk"]["empty/notes.txt"] = b""

    for url, told in refusals(s3):
        with pytest.raises(TapeError) as raised:
            TapeSource(url)
        assert told in raised.value.found
        assert raised.value.place in url or "hidden" in url
        assert "hidden" not in str(raised.value)


def test_a_tape_that_is_for_others_is_a_matter_of_credentials(
    days: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OTHER")

    for named in ("a.parquet", "*.parquet"):
        with pytest.raises(CredentialsError, match="AWS Error"):
            TapeSource(s3.url(f"desk/days/{named}"))


@pytest.mark.trial
def test_a_store_that_goes_away_while_a_tape_is_read_is_reported(days: Path, s3: S3Server) -> None:
    blocks = TapeSource(s3.url("desk/days")).blocks()
    next(blocks)
    s3.stop()

    with pytest.raises(RunFailed, match="a store that answers"):
        list(blocks)


def test_a_file_that_is_taken_away_while_it_is_read_is_reported(days: Path, s3: S3Server) -> None:
    source = TapeSource(s3.url("desk/days"))
    blocks = source.blocks()
    next(blocks)
    del s3.objects["desk"]["days/b.parquet"]

    with pytest.raises(DeskError, match=r"s3://desk/days/b\.parquet: cannot be read"):
        list(blocks)
