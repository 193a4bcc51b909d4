from io import StringIO

import pytest
from rich.console import Console

from console.display.table import desk_table, fill_bar
from desk.model.lane_row import LaneRow
from desk.report.desk_view import ConsumerView, DeskView


def drawn(view: DeskView, width: int) -> str:
    console = Console(file=StringIO(), width=width, record=True, force_terminal=True)
    console.print(desk_table(view, "opening-range · replay", width))
    return console.export_text()


@pytest.mark.parametrize("width", [80, 120])
def test_a_person_sees_what_matters_at_both_widths(busy_desk: DeskView, width: int) -> None:
    picture = drawn(busy_desk, width)

    assert max(map(len, picture.splitlines())) <= width
    for told in (
        "opening-range · replay", "2013-10-07 09:35:00", "running", "37%", "produced 183k/s", "consumed 181k/s",
        "queue p99 1.81 s", "symbols 612", "scanned 50", "90.6k/s", "97%", "1.40 ms", "18.2 ms", "82%", "4/4", "1.1M",
        "120", "orders 12", "filled 10", "refused 2", "positions 3", "P&L -123.45", "stopped 1",
        "[range] stopped for BAC",
    ):  # fmt: skip
        assert told in picture


@pytest.mark.parametrize("width", [80, 120])
def test_no_figure_is_cut_short(busy_desk: DeskView, width: int) -> None:
    busy_desk.notes = []

    picture = drawn(busy_desk, width)

    assert "…" not in picture


def test_process_ids_appear_where_there_is_room(busy_desk: DeskView) -> None:
    assert "12345" in drawn(busy_desk, 120)
    assert "12345" not in drawn(busy_desk, 80)


def test_a_starting_desk_has_a_picture() -> None:
    picture = drawn(DeskView(), 80)

    assert "starting" in picture
    assert "session -" in picture
    assert "%" not in picture


def test_a_shard_without_a_process_still_shows_its_lane() -> None:
    view = DeskView(lanes=[LaneRow(3, 25_000, 50_000, 4, 4)], consumers=[ConsumerView(4, 99)])

    rows = [line.split() for line in drawn(view, 80).splitlines()]

    assert any(row[1:3] == ["3", "-"] and "50%" in row for row in rows)
    assert any(row[1:2] == ["4"] and row[-2] == "-" for row in rows)


def test_only_the_latest_notes_are_shown() -> None:
    picture = drawn(DeskView(notes=[f"note {i}" for i in range(9)]), 80)

    assert "note 8" in picture
    assert "note 5" in picture
    assert "note 4" not in picture


@pytest.mark.parametrize(
    ("depth", "cells", "told"), [(0, 0, "0%"), (1, 1, "0%"), (500, 5, "50%"), (999, 10, "100%"), (1_500, 10, "100%")]
)
def test_a_bar_is_filled_like_its_lane(depth: int, cells: int, told: str) -> None:
    bar = fill_bar(depth, 1_000, 10).plain

    assert bar.count("█") == cells
    assert bar.split()[-1].endswith(told)
