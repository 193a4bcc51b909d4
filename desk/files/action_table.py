"""A table of corporate actions: a CSV file with the fields of a `CorporateAction` as columns.

    symbol,effective,old_shares,new_shares,cash,new_symbol
    NVDA,2024-06-10,1,10,,
    KO,2024-06-14,,,0.485,

Empty cells have the field's default; only `symbol` and `effective` (the ex-date) are required.

Tests: tests/desk/files/test_action_table.py
"""

import csv
from pathlib import Path

import msgspec

from desk.model.corporate_actions import CorporateAction
from desk.model.errors import BadInput

COLUMNS = tuple(field.name for field in msgspec.structs.fields(CorporateAction))


def read_action_table(path: Path) -> list[CorporateAction]:
    """The rows of the table. Raises BadInput for the first fault, with its line."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            unknown = {*(rows.fieldnames or ())} - {*COLUMNS}
            if unknown or not {"symbol", "effective"} <= {*(rows.fieldnames or ())}:
                found = f"the columns {', '.join(rows.fieldnames or ()) or 'none'}"
                raise _fault(f"{path}: line 1", found, f"symbol, effective, and any of {', '.join(COLUMNS[2:])}")
            return [_action(f"{path}: line {rows.line_num}", row) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _fault(str(path), f"it cannot be read: {error}", "a CSV file of corporate actions") from error


def _action(place: str, row: dict[str, str | None]) -> CorporateAction:
    cells = {name: text for name, text in row.items() if text}
    try:
        action = msgspec.convert(cells, CorporateAction, strict=False)
    except msgspec.ValidationError as error:
        raise _fault(place, str(error), "a symbol, a date, and numbers") from None
    if not (action.old_shares > 0 and action.new_shares > 0 and action.cash >= 0):
        raise _fault(place, "shares or cash that are not above 0", "numbers above 0")
    return action


def _fault(place: str, found: str, expected: str) -> BadInput:
    return BadInput(place, found, expected, "Correct the table.")
