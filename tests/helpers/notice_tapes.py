"""Adds a venue's notices to tapes."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from desk.model.notices import Notice, VenueBar
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.tape.writer import TapeWriter


def add_notices(tape: Path, notices: Sequence[Notice], target: Path) -> Path:
    """Write a tape with the rows of another and these notices, in the order of their received times."""
    beside = target.with_name("notices.parquet")
    with TapeWriter(beside) as writer:
        writer.write_ticks(sorted(notices, key=lambda notice: notice.received_ns))
    schema = pq.read_schema(beside)
    rows = pa.concat_tables([_as(pq.read_table(tape), schema), pq.read_table(beside)]).unify_dictionaries()
    order = np.argsort(rows.column("recv_ns").to_numpy(), kind="stable")
    pq.write_table(rows.take(order), target)
    beside.unlink()
    return target


def venue_bars(rows: Iterable[dict[str, Any]]) -> list[VenueBar]:
    """Rows of bars.parquet as the venue's own bars, which come 2 s after their minute."""
    return [
        VenueBar(
            0,
            row["symbol"],
            row["minute_ns"],
            row["minute_ns"] + MINUTE_NS + 2 * SECOND_NS,
            *(row[name] for name in ("open", "high", "low", "close", "volume")),
            row.get("trades", -1),
            row.get("vwap", float("nan")),
        )
        for row in rows
    ]


def changed(bar: VenueBar, **fields: Any) -> VenueBar:
    """A bar with other values."""
    return msgspec.structs.replace(bar, **fields)


def _as(table: Any, schema: Any) -> Any:
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
