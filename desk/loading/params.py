"""A plan's `params` table against the class's typed `Params`."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

import msgspec
from msgspec import inspect, structs

from desk.model.errors import StrategyError
from desk.strategy import Params

_KINDS: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a table",
}


def read_params(owner: type, given: Mapping[str, object], place: str) -> Params:
    """The params of a strategy or scanner class, with its defaults. Raises StrategyError.

    A whole number serves where a number is asked for; nothing else is converted.
    """
    wanted: object = getattr(owner, "Params", None)
    if not (isinstance(wanted, type) and issubclass(wanted, Params)):
        raise StrategyError(
            place,
            f"`{owner.__name__}.Params` is no subclass of desk.strategy.Params",
            "`class Params(desk.strategy.Params, frozen=True)`",
            f"Let the Params of `{owner.__name__}` inherit from it.",
        )
    fields = {field.encode_name: field for field in structs.fields(wanted)}
    place = f"{place}, params"
    for name in given:
        if name not in fields:
            raise _unknown(name, list(fields), place)
    for name, field in fields.items():
        if name in given:
            _check(field, given[name], place)
        elif field.required:
            expected = f"`{name}`: {_words(inspect.type_info(field.type))}"
            raise StrategyError(place, f"missing parameter `{name}`", expected, f"Add `{name}` to params.")
    try:
        return msgspec.convert(dict(given), wanted)
    except msgspec.ValidationError as fault:
        remedy = f"See the Params of `{owner.__name__}`."
        raise StrategyError(place, str(fault), "params that go together", remedy) from fault


def _unknown(name: str, known: list[str], place: str) -> StrategyError:
    expected = "one of " + ", ".join(f"`{each}`" for each in known) if known else "no parameters"
    close = get_close_matches(name, known, n=1)
    remedy = f"Did you mean `{close[0]}`?" if close else "Leave it out."
    return StrategyError(place, f"unknown parameter `{name}`", expected, remedy)


def _check(field: structs.FieldInfo, value: object, place: str) -> None:
    try:
        msgspec.convert(value, field.type)
    except msgspec.ValidationError as fault:
        kind = inspect.type_info(field.type)
        kind_found = _KINDS.get(type(value), type(value).__name__)
        found = f"`{field.encode_name} = {json.dumps(value, ensure_ascii=False, default=str)}` ({kind_found})"
        remedies = []
        if isinstance(value, str) and isinstance(kind, inspect.IntType | inspect.FloatType | inspect.BoolType):
            remedies.append("Write it without quotes.")
        if not field.required and field.default is not msgspec.NODEFAULT:
            remedies.append(f"Default: {json.dumps(field.default, default=str)}.")
        raise StrategyError(place, found, _words(kind), " ".join(remedies)) from fault


def _words(kind: inspect.Type) -> str:
    """What the type asks for, in plain words."""
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"a whole number{_bounds(kind)}"
        case inspect.FloatType():
            return f"a number{_bounds(kind)}"
        case inspect.StrType():
            return f"text matching {kind.pattern}" if kind.pattern else "text"
        case inspect.LiteralType():
            return "one of " + ", ".join(json.dumps(value) for value in kind.values)
        case inspect.ListType() | inspect.SetType() | inspect.FrozenSetType() | inspect.VarTupleType():
            return f"a list, each of it {_words(kind.item_type)}"
        case inspect.UnionType():
            return " or ".join(_words(each) for each in kind.types if not isinstance(each, inspect.NoneType))
        case _:
            return f"a value of type {type(kind).__name__.removesuffix('Type').lower()}"


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    limits = (("≥", kind.ge), (">", kind.gt), ("≤", kind.le), ("<", kind.lt))
    return " and".join(f" {sign} {limit:g}" for sign, limit in limits if limit is not None)
