"""Corrections and cancels applied to the trades of one symbol.

Tests: tests/desk/local_venue/test_market_store.py
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np

from desk.local_venue.rest.market_rows import CANCELED, CORRECTED, INCORRECT, TradeRows


class RevisionRow(NamedTuple):
    """A correction, or else a cancel, of the trade `original_id`; the other columns are those of the new trade."""

    recv_ns: int
    corrects: bool
    original_id: int
    exchange: int
    tape: int
    trade_id: int
    price: float
    size: float
    conditions: int


def revised(trades: TradeRows, revisions: Sequence[RevisionRow]) -> TradeRows:
    """The trades, each identity once, with these revisions applied in their order; `trades` are in arrival order.

    A corrected trade takes the place of the original one, which stays with its update. Revisions that match no trade
    that stands change nothing.
    """
    trades = _each_once(trades)
    if not revisions:
        return trades
    columns = {field.name: getattr(trades, field.name).tolist() for field in fields(trades)}
    keys = zip(columns["trade_id"], columns["exchange"], columns["tape"], strict=True)
    place = {key: row for row, key in enumerate(keys) if key[0]}
    for revision in revisions:
        row = place.pop((revision.original_id, revision.exchange, revision.tape), None)
        if row is None:
            continue
        columns["update"][row] = INCORRECT if revision.corrects else CANCELED
        if revision.corrects:
            place[revision.trade_id, revision.exchange, revision.tape] = len(columns["update"])
            _append(columns, row, revision)
    arrays: dict[str, Any] = {name: np.array(column, getattr(trades, name).dtype) for name, column in columns.items()}
    return replace(trades, **arrays)


def _append(columns: dict[str, list[Any]], row: int, revision: RevisionRow) -> None:
    changed = {
        "price": revision.price,
        "size": revision.size,
        "conditions": revision.conditions,
        "trade_id": revision.trade_id,
        "update": CORRECTED,
    }
    for name, column in columns.items():
        column.append(changed.get(name, column[row]))


def _each_once(trades: TradeRows) -> TradeRows:
    """Without later trades of a known identity (exchange, tape, id); an id of 0 is none."""
    named = np.flatnonzero(trades.trade_id)
    if len(np.unique(trades.trade_id[named])) == len(named):
        return trades
    columns = [column[named].astype(np.uint64) for column in (trades.trade_id, trades.exchange, trades.tape)]
    keys = np.stack(columns, axis=1)
    _, first = np.unique(keys, axis=0, return_index=True)
    kept = trades.trade_id == 0
    kept[named[first]] = True
    return trades.only(kept)
