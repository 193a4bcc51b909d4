"""From what the plan's models refuse to the one error that a user reads: place, found, expected, remedy.

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
from desk.config.plan_table import DISAGREE, Location, PlanFault
from desk.config.plan_urls import has_secret, is_url, scheme_of
from desk.model.errors import PlanError

_LONGEST: Final = 60
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
    """The first fault in file order as a PlanError; it says how many more there are.

    `raw` is the plan as parsed: its tables keep the order of the file.
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
    """A value about as it was written, with its kind; what tables hold and credentials within a URL stay untold."""
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
            yield _unknown(location, details["input"])
        case "missing":
            yield _missing(location)
        case "default_factory_not_called":
            pass  # the key that this default follows is a fault already
        case kind if kind == DISAGREE:
            for fault in details["ctx"]["faults"]:
                yield fault._replace(location=(*location, *fault.location))
        case _:
            yield _unfit(location, details["input"])


def _unknown(location: Location, value: object) -> PlanFault:
    table, key = location[:-1], str(location[-1])
    what = "table" if isinstance(value, dict) else "key"
    known = plan_schema.table_keys(plan_schema.find_node(table)[1])
    expected = "one of " + ", ".join(f"`{name}`" for name in known)
    return PlanFault(location, f"unknown {what} `{key}`", expected, _unknown_remedy(key, known))


def _unknown_remedy(key: str, known: list[str]) -> str:
    if _SECRET.search(key):
        return "Secrets never stand in a plan: give them in the environment, or in files under RAYDESK_SECRETS_DIR."
    homes = [home for home in plan_schema.tables() if key in plan_schema.table_keys(plan_schema.find_node(home)[1])]
    if homes:
        places = " or ".join(_home(home) for home in homes)
        return f"`{key}` is a key of {places}: move it there, or leave it out."
    close = get_close_matches(key, known, n=1)
    if close:
        return f"Did you mean `{close[0]}`?"
    return "Leave it out."


def _home(table: Location) -> str:
    return plan_schema.spell_location(table[:-1] if table and isinstance(table[-1], int) else table)


def _missing(location: Location) -> PlanFault:
    """A required key that is not there; of a missing table, its first required key."""
    node = plan_schema.find_node(location)[1]
    while required := node.get("required"):
        location = (*location, required[0])
        node = plan_schema.find_node(location)[1]
    table = plan_schema.spell_location(location[:-1])
    remedy = f"Add `{location[-1]}` under {table}: {node['description']}."
    return PlanFault(location, "missing", plan_schema.expectation(node), remedy)


def _unfit(location: Location, value: object) -> PlanFault:
    """A value of the wrong type or out of bounds. Locations within a choice of types end at their key."""
    known, node = plan_schema.find_node(location)
    remedy = (
        f"Write it as {plan_schema.spell_location(known)}."
        if plan_schema.is_table(node)
        else _value_remedy(known, node, value)
    )
    return PlanFault(known, written_value(value), plan_schema.expectation(node), remedy)


def _value_remedy(location: Location, node: plan_schema.Node, value: object) -> str:
    """How it is written, what it means, its default; an item of a list is told by its list."""
    words = []
    if isinstance(value, str) and node.get("type") in {"integer", "number", "boolean"}:
        words.append("Write it without quotes.")
    if isinstance(value, date | time) and node.get("type") == "string":
        words.append("Write it in quotes.")
    while isinstance(location[-1], int):
        location = location[:-1]
    about = plan_schema.find_node(location)[1]
    words.append(f"`{location[-1]}` is: {about['description']}.")
    if "default" in about:
        words.append(f"Default: {json.dumps(about['default'])}.")
    return " ".join(words)


def _order(location: Location, raw: object) -> tuple[int, ...]:
    """Where a location stands in the file; what is not there comes after what is."""
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
