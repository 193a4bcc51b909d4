"""Validates a plan's `params` against the class's typed `Params`.

Tests: tests/desk/loading/test_factory.py
"""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Final

import msgspec
from msgspec import inspect, structs

from desk.loading.fault_messages import cause, did_you_mean, is_subclass, safe_class_name, safe_message, safe_repr
from desk.loading.params_fields import default_of, usable_fields
from desk.loading.user_code import CtrlCInterrupt
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
    """The params of a strategy or scanner class, with defaults. Raises StrategyError.

    Only whole numbers are converted, to floats.
    """
    wanted: object = getattr(owner, "Params", None)
    if wanted is not Params and not is_subclass(wanted, Params):
        raise StrategyError(
            place,
            f"`{safe_class_name(owner)}.Params` is not a subclass of desk.strategy.Params",
            "`class Params(desk.strategy.Params, frozen=True)`",
            f"Let the Params of `{safe_class_name(owner)}` inherit from it.",
        )
    name = f"{safe_class_name(owner)}.Params"
    place = f"{place}, params"
    fields = usable_fields(name, wanted, place)
    for key in given:
        if key not in fields:
            raise _unknown(key, list(fields), place)
    for key, field in fields.items():
        default = default_of(name, field, place)
        if key in given:
            _check(field, given[key], default, place)
        elif field.required:
            expected = f"`{key}`: {_describe(inspect.type_info(field.type))}"
            raise StrategyError(place, f"missing parameter `{key}`", expected, f"Add `{key}` to params.")
    return _build_params(name, wanted, given, place)


def _build_params(name: str, wanted: type[Params], given: Mapping[str, object], place: str) -> Params:
    """Build the Params; their `__post_init__` may reject a combination of values, or fail."""
    try:
        return msgspec.convert(dict(given), wanted)
    except CtrlCInterrupt:
        raise
    except msgspec.ValidationError as fault:
        remedy = f"See the Params of `{name.removesuffix('.Params')}`."
        raise StrategyError(place, safe_message(fault), "params that fit together", remedy) from fault
    except BaseException as fault:
        raise StrategyError(
            place,
            f"`{name}` cannot be built: it raised {cause(fault)}",
            "params that can be built; `__post_init__` may reject values with a ValueError",
            "Correct its `__post_init__`, or the params in the plan.",
        ) from fault


def _unknown(name: str, known: list[str], place: str) -> StrategyError:
    expected = "one of " + ", ".join(f"`{each}`" for each in known) if known else "no parameters"
    return StrategyError(place, f"unknown parameter `{name}`", expected, did_you_mean(name, known) or "Leave it out.")


def _check(field: structs.FieldInfo, value: object, default: object, place: str) -> None:
    try:
        msgspec.convert(value, field.type)
    except CtrlCInterrupt:
        raise
    except BaseException as fault:
        if not isinstance(fault, msgspec.ValidationError):
            found = f"`{field.encode_name}`: its type raised {cause(fault)}"
            raise StrategyError(place, found, "a type that accepts values of a plan", "Correct that type.") from fault
        kind = inspect.type_info(field.type)
        kind_found = _KINDS.get(type(value), type(value).__name__)
        found = f"`{field.encode_name} = {_plan_text(value)}` ({kind_found})"
        remedies = []
        if isinstance(value, str) and isinstance(kind, inspect.IntType | inspect.FloatType | inspect.BoolType):
            remedies.append("Write it without quotes.")
        if field.default is not msgspec.NODEFAULT:
            remedies.append(f"Default: {_plan_text(default)}.")
        raise StrategyError(place, found, _describe(kind), " ".join(remedies)) from fault


def _plan_text(value: object) -> str:
    """A value about as in the plan: JSON and TOML have the same notation for most values."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, bool | int | float | str | list | dict):
        return json.dumps(value, ensure_ascii=False, default=safe_repr)
    return "null" if value is None else safe_repr(value)


def _describe(kind: inspect.Type) -> str:
    """The values of a type, in words."""
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
            return f"a list, each item {_describe(kind.item_type)}"
        case inspect.UnionType():
            return " or ".join(_describe(each) for each in kind.types if not isinstance(each, inspect.NoneType))
        case inspect.EnumType():
            return "one of " + ", ".join(json.dumps(each.value, default=safe_repr) for each in kind.cls)
        case inspect.CustomType():
            return f"a value of type {safe_class_name(kind.cls)}, which a plan cannot contain"
        case _:
            return f"a value of type {type(kind).__name__.removesuffix('Type').lower()}"


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    limits = (("≥", kind.ge), (">", kind.gt), ("≤", kind.le), ("<", kind.lt))
    return " and".join(f" {sign} {limit:g}" for sign, limit in limits if limit is not None)
