"""The tradeplan's reference page lists everything in the schema."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from desk.config import Plan, RiskPlan, SyntheticPlan, plan_schema, reference
from desk.config.plan_schema import find_node, tables
from desk.config.plan_table import Location, PlanTable
from desk.config.reference import Key, reference_page, reference_rows

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "tradeplan.md"
LEAVES = [
    (table, key) for table in tables() if table and "items" not in find_node(table)[1] for key in reference_rows(table)
]


def key_of(*location: str | int) -> Key:
    (found,) = (key for key in reference_rows(location[:-1]) if key.name == location[-1])
    return found


def test_the_page_is_what_make_docs_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(), (
        "docs/reference/tradeplan.md is not up to date: run `make docs`"
    )


def leaves(model: type[PlanTable]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = list(reference._sections(field.annotation))
        if not inner:
            yield name
        for each in inner:
            yield from leaves(each)


def test_every_key_of_every_table_has_a_row() -> None:
    assert sorted(key.name for _, key in LEAVES) == sorted(leaves(Plan))
    for _, key in LEAVES:
        assert f"\n| `{key.name}` |" in reference_page()


@pytest.mark.parametrize(("table", "key"), LEAVES, ids=lambda value: getattr(value, "name", ".".join(map(str, value))))
def test_every_key_has_a_type_a_default_and_a_meaning(table: Location, key: Key) -> None:
    assert key.type
    assert key.default
    assert key.meaning


def test_a_key_shows_its_bounds_default_unit_and_meaning() -> None:
    assert key_of("bars", "grace_s") == Key(
        "grace_s",
        "a number from 0 to 3600",
        "`1.0`",
        "s",
        "time after a minute's end at which strategies receive its bar, in s",
    )


def test_a_default_that_follows_from_another_key_names_it() -> None:
    assert key_of("flow", "lag_threshold").default == "`25000`, from `capacity`"
    assert key_of("strategies", 0, "name").default == "from `use`"
    assert key_of("strategies", 0, "symbols").default == '`["*"]`, from `scanner`'
    assert key_of("session", "name").default == "*required*"


@pytest.mark.parametrize(
    ("location", "unit"),
    [
        (("risk", "max_orders_per_minute"), "1/min"),
        (("risk", "max_order_notional"), "money"),
        (("feed", "synthetic", "events_per_s"), "1/s"),
        (("feed", "synthetic", "minutes"), "min"),
        (("feed", "synthetic", "seed"), ""),
        (("flow", "retain_mb"), "MiB"),
        (("flow", "capacity"), "ticks"),
        (("broker", "slippage_bps"), "0.01 %"),
        (("consumers", "target_busy"), "fraction"),
        (("session", "name"), ""),
    ],
)
def test_units_come_from_the_name_or_the_description(location: Location, unit: str) -> None:
    assert key_of(*location).unit == unit


class Rest(PlanTable):
    long_s: float = Field(default=0.5, ge=0, description="how long it is | or not, in s")
    twice: float = Field(default_factory=lambda data: 2 * data.get("long_s"), description="twice as long, in s")


class Item(PlanTable):
    rest: Rest = Field(default_factory=Rest, description="a table in a table of an array")
    kind: Literal["a", "b"] = Field(description="one of two")


class Larger(PlanTable):
    risk: RiskPlan = Field(default_factory=RiskPlan, description="a known table")
    items: tuple[Item, ...] = Field(default=(), description="an array of tables")
    nested: SyntheticPlan = Field(default_factory=SyntheticPlan, description="another known table")


@pytest.fixture
def larger(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's plan is another one, with tables that the tradeplan does not have."""
    for module in ("desk.config.reference", "desk.config.plan_schema"):
        monkeypatch.setattr(f"{module}.Plan", Larger)
    plan_schema._root.cache_clear()
    yield
    plan_schema._root.cache_clear()


@pytest.mark.usefixtures("larger")
def test_new_tables_and_keys_need_no_change_of_the_generator() -> None:
    text = reference_page()

    assert "## [risk]\n\nA known table.\n" in text
    assert "## [[items]]\n\nAn array of tables.\n" in text
    assert '| `kind` | "a" or "b" | *required* |  | one of two |' in text
    assert "## [items.rest]\n\nA table in a table of an array.\n" in text
    assert "| `long_s` | a number ≥ 0 | `0.5` | s | how long it is \\| or not, in s |" in text
    assert "| `twice` | a number | `1.0`, from `long_s` | s | twice as long, in s |" in text
