"""Statuses, price bands and the venue's bars as rows of a tape, and back.

Tests: tests/desk/tape/test_tape_notices.py
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from desk.model.blocks import LULD, STATUS, are_notices
from desk.model.notices import Notice, PriceBands, TradingStatus, VenueBar
from desk.tape.schema import NOTICE

_ATTRIBUTE: Final = {"limit_down": "down", "limit_up": "up"}
"""The fields of notices that have another name on tapes."""
_NAN: Final = float("nan")


def notices_of(batch: Any, kind: NDArray[np.int8]) -> NDArray[np.object_]:
    """Per row of a record batch its notice, or None; ordinals and received times are 0."""
    rows = np.flatnonzero(are_notices(kind))
    wanted = [name for name in ("symbol", "ts_ns", "tape", *NOTICE.names) if name in batch.schema.names]
    notices = np.full(len(kind), None, object)
    for row, values in zip(rows.tolist(), batch.select(wanted).take(pa.array(rows)).to_pylist(), strict=True):
        made = _status if kind[row] == STATUS else _bands if kind[row] == LULD else _bar
        notices[row] = made((0, values["symbol"], values["ts_ns"] or 0, 0), values)
    return notices


def notice_columns(notices: Sequence[Notice | None] | None, rows: int) -> dict[str, Any]:
    """The columns of notices for a number of rows; all null with None."""
    if notices is None:
        return {field.name: pa.nulls(rows, field.type) for field in NOTICE}
    return {name: [getattr(notice, _ATTRIBUTE.get(name, name), None) for notice in notices] for name in NOTICE.names}


_Head = tuple[int, str, int, int]
_Values = Mapping[str, Any]


def _status(head: _Head, values: _Values) -> Notice:
    return TradingStatus(*head, *_filled(values.get, "", "code", "message", "reason_code", "reason", "tape"))


def _bands(head: _Head, values: _Values) -> Notice:
    down_up = _filled(values.get, _NAN, "limit_down", "limit_up")
    return PriceBands(*head, *down_up, *_filled(values.get, "", "indicator", "tape"))


def _bar(head: _Head, values: _Values) -> Notice:
    figures = _filled(values.get, _NAN, "open", "high", "low", "close", "volume")
    figures += _filled(values.get, -1, "trades") + _filled(values.get, _NAN, "vwap")
    return VenueBar(*head, *[*figures, bool(values.get("updated"))])


def _filled(get: Callable[[str], Any], otherwise: Any, *names: str) -> list[Any]:
    """The values of these names; `otherwise` for null."""
    found = (get(name) for name in names)
    return [otherwise if value is None else value for value in found]
