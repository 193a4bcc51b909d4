"""Tables of corporate actions."""

from datetime import date
from pathlib import Path

import pytest

from desk.files.action_table import read_action_table
from desk.model.corporate_actions import CorporateAction
from desk.model.errors import BadInput


def table(folder: Path, text: str) -> Path:
    path = folder / "actions.csv"
    path.write_text(text)
    return path


def test_rows_are_actions_and_empty_cells_are_defaults(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "symbol,effective,old_shares,new_shares,cash\nNVDA,2024-06-10,1,10,\nKO,2024-06-14,,,0.485\n",
    )

    assert read_action_table(path) == [
        CorporateAction("NVDA", date(2024, 6, 10), 1, 10),
        CorporateAction("KO", date(2024, 6, 14), cash=0.485),
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("symbol,when\nA,2024-06-10\n", "line 1"),
        ("symbol\nA\n", "line 1"),
        ("symbol,effective\nA,2024-06-10\nB,June\n", "line 3"),
        ("symbol,effective\n,2024-06-10\n", "line 2"),
        ("symbol,effective,old_shares\nA,2024-06-10,0\n", "line 2"),
        ("symbol,effective,cash\nA,2024-06-10,-1\n", "line 2"),
        ("symbol,effective,cash\nA,2024-06-10,nan\n", "line 2"),
        ("", "line 1"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_action_table(table(tmp_path, text))

    assert place in refused.value.place


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        read_action_table(tmp_path / "none.csv")
