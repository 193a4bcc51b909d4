"""Generates the tradeplan's reference page from its schema: `python -m desk.config.reference` prints it."""

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

This page lists every key of a plan. `make docs` generates it from the schema; do not edit it.

A plan is a TOML file. A key that is left out has its default; *required* keys have no default. A plan with an unknown
key is rejected, and the error suggests the most similar key. "from `key`" after a default: the default depends on that
key, and the value shown applies to that key's own default. Money is in account currency, times of day are exchange
time.

Flags of the command line take precedence over environment variables, and these over the plan: `--consumers`, then
NUM_CONSUMERS, then `[consumers] count`; and DATA_CONNECTOR, then `[feed] kind`.
"""
UNIT_SUFFIXES: Final = {
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
"""Units by the suffix of a key's name."""
UNIT_PATTERNS: Final = (
    (re.compile(r"\bin account currency"), "money"),
    (re.compile(r"\bin hundredths of a percent"), "0.01 %"),
    (re.compile(r"\bfraction\b"), "fraction"),
    (re.compile(r"\bper second\b"), "1/s"),
    (re.compile(r"\bper minute\b"), "1/min"),
    (re.compile(r", in (ns|µs|ms|s|min|minutes|h|hours|KiB|MiB|GiB)\b"), r"\1"),
    (re.compile(r"\b(ticks|batches|orders|symbols|consumers|processes|CPUs|bytes)\b"), r"\1"),
)
"""Units by words in a number's description; the first match counts."""


class Key(NamedTuple):
    """The row of one key."""

    name: str
    type: str
    default: str
    unit: str
    meaning: str


def reference_page() -> str:
    """The whole page, in Markdown."""
    # `tables()` gives an array of tables and its first table: they share one section.
    return "\n".join([INTRODUCTION, *(_section(table) for table in tables() if table and isinstance(table[-1], str))])


def reference_rows(table: Location) -> Iterator[Key]:
    """The rows of a table, in the order of its class; nested tables have their own sections."""
    _, node = find_node(table)
    for name, field in _fields(table).items():
        if is_table(find_node((*table, name))[1]):
            continue
        key = node["properties"][name]
        text = field.description or ""
        yield Key(name, expectation(key), _default(table, name), _unit(name, key, text), text)


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
    """The defaults of a table's keys; `read` lists the keys that a default factory has read."""

    def __init__(self, fields: dict[str, FieldInfo]) -> None:
        super().__init__()
        self.read: list[str] = []
        self._fields = fields

    def __missing__(self, name: str) -> Any:
        self.read.append(name)
        field = self._fields[name]
        return "" if field.is_required() else field.get_default(call_default_factory=True, validated_data=self)

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ARG002 - every key of the table has a value
        """The value of `[]`."""
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
    """The unit of a number, from the suffix of its name or from its description."""
    if "number" not in expectation(node):
        return ""
    suffix = max((each for each in UNIT_SUFFIXES if f"_{name}".endswith(f"_{each}")), key=len, default="")
    if suffix:
        return UNIT_SUFFIXES[suffix]
    return next((match.expand(unit) for pattern, unit in UNIT_PATTERNS if (match := pattern.search(text))), "")


if __name__ == "__main__":
    sys.stdout.write(reference_page())
