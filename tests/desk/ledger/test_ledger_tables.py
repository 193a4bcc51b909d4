"""The tables work in every supported database, and money keeps its exact value."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from desk.ledger.ledger_tables import Money, metadata

POSTGRES = postgresql.dialect()
SQLITE = sqlite.dialect()


@pytest.mark.parametrize("dialect", [POSTGRES, SQLITE], ids=["postgres", "sqlite"])
@pytest.mark.parametrize("table", metadata.sorted_tables, ids=str)
def test_every_table_is_made_of_types_that_both_databases_have(table: Table, dialect: Dialect) -> None:
    types = {column.name: column.type.compile(dialect=dialect) for column in table.columns}

    assert str(CreateTable(table).compile(dialect=dialect)).lstrip().startswith(f"CREATE TABLE {table.name}")
    assert set(types.values()) <= {"VARCHAR", "BIGINT", "NUMERIC", "BOOLEAN"}
    assert all(kind == "BIGINT" for name, kind in types.items() if name.endswith("_ns"))
    assert all(types[name] == "NUMERIC" for name in types if name.endswith("price") or name in {"fee", "quantity"})


@given(amount=st.floats(allow_nan=False, allow_infinity=False))
def test_money_comes_back_from_a_decimal_as_the_same_float(amount: float) -> None:
    bind = Money().dialect_impl(POSTGRES).bind_processor(POSTGRES)

    stored = bind(amount)

    assert isinstance(stored, Decimal)
    assert Money().process_result_value(stored, POSTGRES) == amount


@pytest.mark.parametrize("dialect", [POSTGRES, SQLITE], ids=["postgres", "sqlite"])
def test_money_that_is_not_known_is_null(dialect: Dialect) -> None:
    assert Money().process_bind_param(math.nan, dialect) is None
    assert Money().process_bind_param(None, dialect) is None
    assert Money().process_result_value(None, dialect) is None
