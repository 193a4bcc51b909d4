"""decisions.parquet: every decision with its outcome, in canonical order for any order of input."""

import random
from pathlib import Path

import pyarrow.parquet as pq

from desk.model.orders import Intent
from desk.model.records import Decision
from desk.runs.decisions_file import write_decisions


def decision(
    decision_ns: int, strategy: str = "a", symbol: str = "SPY", number: int = 1, **changes: object
) -> Decision:
    key = f"s-{strategy}-{symbol}-{number}"
    intent = Intent(key, strategy, symbol, number, "sell", 100.0, decision_ns, 1_500_000, False, 10.0, **changes)
    return Decision(intent, "filled")


def test_a_decision_is_one_row_of_the_contract_s_columns(tmp_path: Path) -> None:
    path = tmp_path / "decisions.parquet"

    assert write_decisions(path, [decision(5, kind="limit", limit_price=9.5)]) == 1

    assert pq.read_table(path).to_pylist() == [
        {
            "decision_ns": 5,
            "strategy": "a",
            "symbol": "SPY",
            "side": "sell",
            "quantity": 100.0,
            "limit_price": 9.5,
            "client_order_id": "s-a-SPY-1",
            "data_age_ms": 1.5,
            "outcome": "filled",
        }
    ]


def test_an_order_without_a_limit_has_a_null_price_of_the_same_type(tmp_path: Path) -> None:
    write_decisions(tmp_path / "one.parquet", [decision(5)])
    write_decisions(tmp_path / "none.parquet", [])

    one, none = pq.read_table(tmp_path / "one.parquet"), pq.read_table(tmp_path / "none.parquet")

    assert one["limit_price"].to_pylist() == [None]
    assert none.num_rows == 0
    assert one.schema.equals(none.schema)
    assert str(none.schema.field("limit_price").type) == "double"


def test_rows_stand_in_canonical_order(tmp_path: Path) -> None:
    canonical = [
        decision(1, "b", "Z", 9),
        decision(2, "a", "B", 1),
        decision(2, "a", "a", 2),
        decision(2, "a", "a", 10),
        decision(2, "b", "A", 1),
    ]
    shuffled = random.Random(7).sample(canonical, len(canonical))

    write_decisions(tmp_path / "decisions.parquet", shuffled)

    found = pq.read_table(tmp_path / "decisions.parquet")["client_order_id"].to_pylist()
    assert found == [each.intent.client_order_id for each in canonical]
