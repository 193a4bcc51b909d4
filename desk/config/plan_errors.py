"""Turns validation errors of a plan into one PlanError with place, found, expected and remedy.

Tests: tests/desk/config/test_plan_file.py
"""

import json
import re
from collections.abc import Iterator
from datetime import date, time
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from desk.config import plan_schema
from desk.config.plan_table import CONFLICT, Location, PlanFault
from desk.config.plan_urls import has_secret, is_url, scheme_of
from desk.model.errors import PlanError

_LONGEST: Final = 60
VERY_CLOSE: Final = 0.85
"""A key that is so similar to a known one is taken for it, even if it is a key of another table."""
_SECRET: Final = re.compile(r"(api|secret|access).?key|passw|token", re.IGNORECASE)
_URL_CREDENTIALS: Final = re.compile(r"://[^/\s@]*@")
_KINDS: Final[dict[type, str]] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    list: "list",
}


def plan_error(file: str, raw: dict[str, Any], error: ValidationError) -> PlanError:
    """The first fault in file order as a PlanError, which also states how many more there are.

    `raw` is the parsed file, in the file's order.
    """
    faults: dict[Location, PlanFault] = {}
    for details in error.errors(include_url=False):
        for fault in _faults(details):
            faults.setdefault(fault.location, fault)
    first, *others = sorted(faults.values(), key=lambda fault: _order(fault.location, raw))
    remedy = first.remedy
    if others:
        remedy += f" ({len(others)} more {'fault' if len(others) == 1 else 'faults'} in this plan.)"
    return PlanError(f"{file}, {plan_schema.spell_location(first.location)}", first.found, first.expected, remedy)


def written_value(value: object) -> str:
    """A value about as the file has it, with its type; contents of tables and credentials in URLs are left out."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return "an array of tables"
    quoted = isinstance(value, bool | str | list)
    text = json.dumps(value, ensure_ascii=False, default=str) if quoted else str(value)
    text = _URL_CREDENTIALS.sub("://…@", text)
    if isinstance(value, str) and is_url(value) and has_secret(value):
        text = f'"{scheme_of(value)}://…"'
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return f"`{text}` ({_KINDS.get(type(value), type(value).__name__)})"


def _faults(details: ErrorDetails) -> Iterator[PlanFault]:
    location = details["loc"]
    match details["type"]:
        case "extra_forbidden":
            yield _unknown_key(location, details["input"])
        case "missing":
            yield _missing_key(location)
        case "default_factory_not_called":
            pass  # the key from which this default follows is already reported
        case kind if kind == CONFLICT:
            for fault in details["ctx"]["faults"]:
                yield fault._replace(location=(*location, *fault.location))
        case _:
            yield _wrong_value(location, details["input"])


def _unknown_key(location: Location, value: object) -> PlanFault:
    table, key = location[:-1], str(location[-1])
    what = "table" if isinstance(value, dict) else "key"
    known = plan_schema.table_keys(plan_schema.find_node(table)[1])
    expected = "one of " + ", ".join(f"`{name}`" for name in known)
    return PlanFault(location, f"unknown {what} `{key}`", expected, _unknown_remedy(key, known))


def _unknown_remedy(key: str, known: list[str]) -> str:
    if _SECRET.search(key):
        return "A plan holds no secrets: set them in the environment, or write them to files in RAYDESK_SECRETS_DIR."
    if close := get_close_matches(key, known, n=1, cutoff=VERY_CLOSE):
        return f"Did you mean `{close[0]}`?"
    owners = [table for table in plan_schema.tables() if key in plan_schema.table_keys(plan_schema.find_node(table)[1])]
    if owners:
        places = " or ".join(_spell_table(table) for table in owners)
        return f"`{key}` is a key of {places}: move it there, or leave it out."
    close = get_close_matches(key, known, n=1)
    if close:
        return f"Did you mean `{close[0]}`?"
    return "Leave it out."


def _spell_table(table: Location) -> str:
    return plan_schema.spell_location(table[:-1] if table and isinstance(table[-1], int) else table)


def _missing_key(location: Location) -> PlanFault:
    """A missing required key; for a missing table, its first required key."""
    node = plan_schema.find_node(location)[1]
    while required := node.get("required"):
        location = (*location, required[0])
        node = plan_schema.find_node(location)[1]
    table = plan_schema.spell_location(location[:-1])
    remedy = f"Add `{location[-1]}` under {table}: {node['description']}."
    return PlanFault(location, "missing", plan_schema.expectation(node), remedy)


def _wrong_value(location: Location, value: object) -> PlanFault:
    """A value of the wrong type or out of bounds."""
    # pydantic's location within a union of types continues below the key.
    known, node = plan_schema.find_node(location)
    remedy = (
        f"Write it as {plan_schema.spell_location(known)}."
        if plan_schema.is_table(node)
        else _value_remedy(known, node, value)
    )
    return PlanFault(known, written_value(value), plan_schema.expectation(node), remedy)


def _value_remedy(location: Location, node: plan_schema.Node, value: object) -> str:
    """How to write the value, what the key means, and its default; for an item, those of its list."""
    words = []
    if isinstance(value, str) and node.get("type") in {"integer", "number", "boolean"}:
        words.append("Write it without quotes.")
    if isinstance(value, date | time) and node.get("type") == "string":
        words.append("Write it in quotes.")
    while isinstance(location[-1], int):
        location = location[:-1]
    about = plan_schema.find_node(location)[1]
    words.append(f"Meaning of `{location[-1]}`: {about['description']}.")
    if "default" in about:
        words.append(f"Default: {json.dumps(about['default'])}.")
    return " ".join(words)


def _order(location: Location, raw: object) -> tuple[int, ...]:
    """The position of a location in the file, for sorting; missing keys come last."""
    order = []
    for part in location:
        if isinstance(raw, dict):
            order.append(list(raw).index(part) if part in raw else len(raw))
            raw = raw.get(part)
        elif isinstance(raw, list) and isinstance(part, int):
            order.append(part)
            raw = raw[part] if part < len(raw) else None
        else:
            break
    return tuple(order)
