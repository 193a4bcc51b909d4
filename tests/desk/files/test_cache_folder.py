from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest

from desk.config import Settings, load_settings
from desk.files.cache_folder import KEPT_FILES, DayCache, cache_folder

DAY = date(2026, 1, 5)


class Row(msgspec.Struct):
    name: str
    size: float


ROWS = [Row("A", 1.0), Row("B", 2.5)]


class Source:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> list[Row]:
        self.asked += 1
        return ROWS


def test_a_value_is_fetched_once_a_day_and_read_by_other_processes_from_the_file(tmp_path: Path) -> None:
    source = Source()

    found = [DayCache(tmp_path / "deep" / "cache", "rows", list[Row]).get(DAY, source) for _ in range(3)]

    assert found == [ROWS] * 3
    assert source.asked == 1
    assert DayCache(tmp_path / "deep" / "cache", "rows", list[Row]).get(DAY + timedelta(1), source) == ROWS
    assert source.asked == 2


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "another kind"])
def test_a_damaged_file_is_fetched_again_and_replaced(tmp_path: Path, damage: str) -> None:
    source = Source()
    DayCache(tmp_path, "rows", list[Row]).get(DAY, source)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    if damage == "another kind":
        DayCache(tmp_path, "other", list[int]).get(DAY, lambda: [1, 2])
        path.write_bytes((tmp_path / f"other-{DAY}.json").read_bytes())
    else:
        path.write_bytes({"cut": whole[:-3], "changed": whole.replace(b"A", b"C"), "empty": b""}[damage])
    cache = DayCache(tmp_path, "rows", list[Row])

    assert cache.get(DAY, source) == ROWS

    assert source.asked == 2
    assert len(cache.notes) == 1
    assert str(path) in cache.notes[0]
    assert path.read_bytes() == whole


def test_only_the_newest_days_are_kept(tmp_path: Path) -> None:
    cache = DayCache(tmp_path, "rows", list[Row])
    (tmp_path / "rows-notes.txt").write_text("mine")

    for number in range(9):
        cache.get(DAY + timedelta(number), Source())

    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {"rows-notes.txt", *(f"rows-{DAY + timedelta(number)}.json" for number in range(9 - KEPT_FILES, 9))}


def test_a_folder_that_cannot_be_written_costs_the_cache_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    cache = DayCache(tmp_path / "file" / "cache", "rows", list[Row])

    assert cache.get(DAY, Source()) == ROWS

    assert "is not cached" in cache.notes[-1]


def test_without_a_folder_nothing_is_cached() -> None:
    source = Source()
    cache = DayCache(None, "rows", list[Row])

    assert [cache.get(DAY, source) for _ in range(2)] == [ROWS] * 2
    assert source.asked == 2


def test_the_folder_is_the_settings_or_that_of_the_desktop_standard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = cache_folder(Settings.model_validate({"RAYDESK_CACHE_DIR": str(tmp_path)}))
    monkeypatch.delenv("RAYDESK_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    standard = cache_folder(load_settings())
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/ignored")
    home = cache_folder(load_settings())

    assert (named, standard) == (tmp_path, tmp_path / "xdg" / "raydesk")
    assert home == Path("~/.cache/raydesk").expanduser()
