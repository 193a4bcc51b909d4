"""The reference page of the tradeplan, from its schema: `python -m desk.config.reference` prints it."""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, get_args

from pydantic.fields import FieldInfo

from desk.config.plan import Plan
from desk.config.plan_schema import expectation, find_node, is_table, tables
from desk.config.plan_table import Location, PlanTable

INTRODUCTION: Final = """\
# The tradeplan

Every key of a plan, from the schema that reads it. `make docs` writes this page; do not edit it.

A plan is a TOML file. A key that is left out has its default; *required* keys have none. A key that is not listed here
is refused, with the nearest known name. "from `key`" after a default: it follows from that key, and the value shown is
the one for that key's own default. Money is in account currency, times of day are exchange time.

A flag of the command line goes before the environment, the environment before the plan: `--consumers` before
NUM_CONSUMERS before `[consumers] count`, and DATA_CONNECTOR before `[feed] kind`.
"""
NAMED_UNITS: Final = {
    "per_s": "1/s",
    "per_minute": "1/min",
    "bps": "0.01 %",
    "pct": "%",
    "ns": "ns",
    "us": "µs",
    "ms": "ms",
    "s": "s",
    "minutes": "min",
    "hours": "h",
    "days": "d",
    "bytes": "B",
    "kb": "KiB",
    "mb": "MiB",
    "gb": "GiB",
    "usd": "USD",
    "fraction": "fraction",
}
"""By how a key's name ends."""
SAID_UNITS: Final = (
    (re.compile(r"\bin account currency"), "money"),
    (re.compile(r"\bin hundredths of a percent"), "0.01 %"),
    (re.compile(r"\bfraction\b"), "fraction"),
    (re.compile(r"\bper second\b"), "1/s"),
    (re.compile(r"\bper minute\b"), "1/min"),
    (re.compile(r", in (ns|µs|ms|s|min|minutes|h|hours|KiB|MiB|GiB)\b"), r"\1"),
    (re.compile(r"\b(ticks|batches|orders|symbols|consumers|processes|CPUs|bytes)\b"), r"\1"),
)
"""By what a number's description says."""


class Key(NamedTuple):
    """One key of a table, as its row shows it."""

    name: str
    type: str
    default: str
    unit: str
    meaning: str


def reference_page() -> str:
    """The whole page, in Markdown."""
    # Of an array of tables `tables()` names the array and its first table: one section speaks for both.
    return "\n".join([INTRODUCTION, *(_section(table) for table in tables() if table and isinstance(table[-1], str))])


def reference_rows(table: Location) -> Iterator[Key]:
    """The rows of a table, in the order of its class; tables within it have sections of their own."""
    _, node = find_node(table)
    for name, field in _fields(table).items():
        below = node["properties"][name]
        if is_table(find_node((*table, name))[1]):
            continue
        text = field.description or ""
        yield Key(name, expectation(below), _default(table, name), _unit(name, below, text), text)


def _section(table: Location) -> str:
    _, node = find_node(table)
    is_array = "items" in node
    name = ".".join(part for part in table if isinstance(part, str))
    title = f"## [[{name}]]" if is_array else f"## [{name}]"
    head = ["| key | type | default | unit | meaning |", "| --- | --- | --- | --- | --- |"]
    rows = map(_row, reference_rows((*table, 0) if is_array else table))
    return "\n".join([title, "", _sentence(node.get("description", "")), "", *head, *rows, ""])


def _row(key: Key) -> str:
    cells = (f"`{key.name}`", key.type, key.default, key.unit, key.meaning)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _model(table: Location) -> type[PlanTable]:
    """The class of a table."""
    model: type[PlanTable] = Plan
    for part in table:
        if isinstance(part, str):
            model = next(_sections(model.model_fields[part].annotation))
    return model


def _sections(annotation: Any) -> Iterator[type[PlanTable]]:
    if isinstance(annotation, type) and issubclass(annotation, PlanTable):
        yield annotation
    for inner in get_args(annotation):
        yield from _sections(inner)


def _fields(table: Location) -> dict[str, FieldInfo]:
    return _model(table).model_fields


class _Defaults(dict[str, Any]):
    """The defaults of a table's keys, which notes those that are read."""

    def __init__(self, fields: dict[str, FieldInfo]) -> None:
        super().__init__()
        self.read: list[str] = []
        self._fields = fields

    def __missing__(self, name: str) -> Any:
        self.read.append(name)
        field = self._fields[name]
        return "" if field.is_required() else field.get_default(call_default_factory=True, validated_data=self)

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ARG002 - every key of the table has a value
        """The value of a key, as `[]` gives it."""
        return self[name]


def _default(table: Location, name: str) -> str:
    fields = _fields(table)
    field = fields[name]
    if field.is_required():
        return "*required*"
    defaults = _Defaults(fields)
    value = field.get_default(call_default_factory=True, validated_data=defaults)
    follows = f"from {', '.join(f'`{each}`' for each in defaults.read)}" if defaults.read else ""
    if any(fields[each].is_required() for each in defaults.read):
        return follows
    return f"`{json.dumps(value, ensure_ascii=False)}`{follows and ', ' + follows}"


def _unit(name: str, node: dict[str, Any], text: str) -> str:
    """The unit of a number, from how its name ends or from what its description says."""
    if "number" not in expectation(node):
        return ""
    ends = max((end for end in NAMED_UNITS if f"_{name}".endswith(f"_{end}")), key=len, default="")
    if ends:
        return NAMED_UNITS[ends]
    return next((found.expand(unit) for said, unit in SAID_UNITS if (found := said.search(text))), "")


if __name__ == "__main__":
    sys.stdout.write(reference_page())
