"""The fields of a class's `Params`: whether their annotations and defaults can be used at all.

Tests: tests/desk/loading/test_user_code.py
"""

import inspect
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import structs

from desk.loading.fault_messages import kind_and_message, safe_message, safe_repr
from desk.loading.user_code import CtrlCInterrupt, translate_user_errors
from desk.model.errors import StrategyError
from desk.strategy import Params

RESOLVE = "Import it where the module runs, not under TYPE_CHECKING, and write it as seen from the module's top level."


def usable_fields(name: str, wanted: type[Params], place: str) -> dict[str, structs.FieldInfo]:
    """The fields by the names that a plan gives them. `name` is that of the Params, as in "Mine.Params".

    Raises StrategyError, naming class and field, for annotations that do not resolve, types that a plan cannot give,
    and constraints that do not go with their type.
    """
    try:
        fields = structs.fields(wanted)
    except CtrlCInterrupt:
        raise
    except BaseException as fault:
        raise _unresolved(name, wanted, fault, place) from fault
    for field in fields:
        try:
            # Of no items: the type is looked at, and nothing is built.
            msgspec.convert([], list[field.type])  # type: ignore[name-defined]  # a type, known at run time
        except CtrlCInterrupt:
            raise
        except BaseException as fault:
            raise StrategyError(
                place,
                f"`{name}.{field.name}` has a type that cannot be used: {kind_and_message(fault)}",
                "a type that a plan can give: bool, int, float, str, a date or time, Literal, Enum, or list, dict, "
                "dataclass or Struct of these, with constraints that go with it",
                "Correct its annotation.",
            ) from fault
    return {field.encode_name: field for field in fields}


def default_of(name: str, field: structs.FieldInfo, place: str) -> Any:
    """The field's default, from its factory where it has one; msgspec.NODEFAULT for a field without.

    Raises StrategyError where the factory raises, or the default is none that a plan could have given. None always
    passes: it is the usual word for "not given", whatever the annotation says.
    """
    if field.default_factory is msgspec.NODEFAULT:
        default = field.default
    else:
        doing = f"the default_factory of `{name}.{field.name}`"
        with translate_user_errors(place, doing, "a function that gives the default", "Correct it.", passing=()):
            default = field.default_factory()
    if default is msgspec.NODEFAULT or default is None:
        return default
    try:
        _convert_default(default, field.type)
    except CtrlCInterrupt:
        raise
    except BaseException as fault:
        raise StrategyError(
            place,
            f"the default of `{name}.{field.name}` is {safe_repr(default)}, "
            f"which its own type refuses: {safe_message(fault)}",
            "a default that a plan could give, too",
            "Correct the default, or the field's annotation.",
        ) from fault
    return default


def _convert_default(default: object, kind: Any) -> None:
    try:
        msgspec.convert(default, kind)
    except msgspec.ValidationError:
        # A value of a class that msgspec takes in its plain form only, such as a range for a list.
        msgspec.convert(list(default) if isinstance(default, range) else msgspec.to_builtins(default), kind)


def _unresolved(name: str, wanted: type[Params], fault: BaseException, place: str) -> StrategyError:
    field = next(_failing_annotations(wanted), "")
    what = f"the annotation of `{name}.{field}` does" if field else f"the annotations of `{name}` do"
    return StrategyError(
        place, f"{what} not resolve: {kind_and_message(fault)}", "types that are known at run time", RESOLVE
    )


def _failing_annotations(wanted: type) -> Iterator[str]:
    """The names of annotations that do not resolve, each tried alone as msgspec tries them together."""
    for cls in type.__dict__["__mro__"].__get__(wanted):
        for name, annotation in inspect.get_annotations(cls).items():
            alone = type("Alone", (), {"__annotations__": {name: annotation}, "__module__": cls.__module__})
            try:
                typing.get_type_hints(alone, localns=dict(vars(cls)), include_extras=True)
            except CtrlCInterrupt:
                raise
            except BaseException:  # noqa: BLE001 - what it raises is known already
                yield name
