"""A tape's files are recognized by name, size and footer."""

from pathlib import Path

import pytest
from day_tapes import a_tape, row

from desk.model.errors import TapeError
from desk.tape.fingerprint import tape_fingerprints


def test_the_same_tape_has_the_same_fingerprints_by_whatever_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        a_tape(tmp_path / f"{name}.parquet", row("2024-03-05 15:00"))
    monkeypatch.chdir(tmp_path)

    found = tape_fingerprints(str(tmp_path))

    assert list(found) == [str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")]
    assert tape_fingerprints(".") == tape_fingerprints("*.parquet") == found
    assert list(tape_fingerprints(tmp_path.as_uri()).values()) == list(found.values())


def test_other_prices_in_a_file_of_the_same_size_have_another_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    a_tape(path, row("2024-03-05 15:00", price=10.0))
    before = tape_fingerprints(str(path))
    a_tape(path, row("2024-03-05 15:00", price=11.0))

    assert tape_fingerprints(str(path)) != before


@pytest.mark.parametrize("content", [b"", b"PAR1", b"minutes of the meeting"])
def test_what_is_no_tape_has_one_all_the_same(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(content)

    assert tape_fingerprints(str(tmp_path / "a.parquet"))


def test_where_nothing_is_the_fault_is_the_tapes(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="does not exist"):
        tape_fingerprints(str(tmp_path / "absent.parquet"))
