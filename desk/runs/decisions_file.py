"""decisions.parquet: every decision of a run with its outcome, in canonical order."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from desk.files.atomic import replacing
from desk.model.records import Decision
from desk.model.units import MS_NS

SCHEMA: Final = pa.schema(
    [
        ("decision_ns", pa.int64()),
        ("strategy", pa.string()),
        ("symbol", pa.string()),
        ("side", pa.string()),
        ("quantity", pa.float64()),
        ("limit_price", pa.float64()),
        ("client_order_id", pa.string()),
        ("data_age_ms", pa.float64()),
        ("outcome", pa.string()),
    ]
)


def write_decisions(path: Path, decisions: Iterable[Decision]) -> int:
    """Write these by (decision_ns, strategy, symbol, number); return the number of rows. Raises RunFailed.

    `limit_price` is null for an order without one.
    """
    rows = [_row(decision) for decision in sorted(decisions, key=_canonical)]
    with replacing(path) as beside:
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), beside)
    return len(rows)


def _canonical(decision: Decision) -> tuple[int, str, str, int]:
    intent = decision.intent
    return intent.decision_ns, intent.strategy, intent.symbol, intent.number


def _row(decision: Decision) -> dict[str, object]:
    intent = decision.intent
    return {
        "decision_ns": intent.decision_ns,
        "strategy": intent.strategy,
        "symbol": intent.symbol,
        "side": intent.side,
        "quantity": intent.quantity,
        "limit_price": intent.limit_price,
        "client_order_id": intent.client_order_id,
        "data_age_ms": intent.data_age_ns / MS_NS,
        "outcome": decision.outcome,
    }
