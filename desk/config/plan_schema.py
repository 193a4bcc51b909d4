"""The tradeplan's schema as data: tables and keys, and the values that each key accepts, in words.

Tests: tests/desk/config/test_reference.py
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from desk.config.plan import Plan
from desk.config.plan_table import Location

Node = dict[str, Any]

_BOUNDS: Final = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
_TYPES: Final = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "object": "a table",
}


@cache
def _root() -> Node:
    return Plan.model_json_schema()


def _resolved(node: Node) -> Node:
    """The node merged with the definition that it refers to; its own entries take precedence."""
    reference = node.get("$ref")
    if reference is None:
        return node
    return {**_root()["$defs"][reference.rpartition("/")[2]], **node}


def find_node(location: Location) -> tuple[Location, Node]:
    """The longest prefix of `location` that the schema has, and the node there."""
    node = _root()
    for depth, part in enumerate(location):
        below = node.get("properties", {}).get(part) if isinstance(part, str) else node.get("items")
        if below is None:
            return location[:depth], node
        node = _resolved(below)
    return location, node


def table_keys(node: Node) -> list[str]:
    """The keys of a table, in the schema's order."""
    return list(node.get("properties", {}))


def is_table(node: Node) -> bool:
    """Whether the node is a table with keys of its own, or an array of such tables."""
    return "properties" in node or ("items" in node and "properties" in _resolved(node["items"]))


def tables(location: Location = ()) -> Iterator[Location]:
    """Every table from `location` down, itself first; an array of tables is followed by its first table."""
    yield location
    node = find_node(location)[1]
    below: list[str | int] = list(table_keys(node)) if "properties" in node else [0]
    for part in below:
        if is_table(find_node((*location, part))[1]):
            yield from tables((*location, part))


def expectation(node: Node) -> str:
    """The values that a key accepts, in words, such as "a whole number ≥ 1"."""
    if "words" in node:
        return str(node["words"])
    if "enum" in node or "const" in node:
        return " or ".join(f'"{choice}"' for choice in node.get("enum", [node.get("const")]))
    if node.get("type") == "array":
        return "an array of tables" if is_table(node) else f"a list, each item {expectation(node['items'])}"
    if "minimum" in node and "maximum" in node:
        return f"{_TYPES[node['type']]} from {node['minimum']} to {node['maximum']}"
    bounds = " and ".join(f"{sign} {node[bound]}" for bound, sign in _BOUNDS if bound in node)
    return f"{_TYPES[node['type']]} {bounds}".rstrip()


def spell_location(location: Location) -> str:
    """A location in the notation of messages, such as `[[strategies]] #2 scanner`."""
    depth = max(depth for depth in range(len(location) + 1) if _names_table(location[:depth]))
    names = ".".join(part for part in location[:depth] if isinstance(part, str))
    numbers = [part + 1 for part in location[:depth] if isinstance(part, int)]
    words = []
    if names:
        words.append(f"[[{names}]]" if numbers or "items" in find_node(location[:depth])[1] else f"[{names}]")
    words += [f"#{number}" for number in numbers]
    words += [part if isinstance(part, str) else f"item {part + 1}" for part in location[depth:]]
    return " ".join(words) or "top level"


def _names_table(location: Location) -> bool:
    known, node = find_node(location)
    return known == location and is_table(node)
