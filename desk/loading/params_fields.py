"""The fields of a class's `Params`: checks their annotations and defaults.

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

RESOLVE = "Import the type at the module's top level, not under TYPE_CHECKING."


def usable_fields(name: str, wanted: type[Params], place: str) -> dict[str, structs.FieldInfo]:
    """The fields by their names in a plan. `name` is the name of the Params, such as "Mine.Params".

    Raises StrategyError, with class and field, for annotations that do not resolve, types that a plan cannot contain,
    and constraints that do not fit their type.
    """
    try:
        fields = structs.fields(wanted)
    except CtrlCInterrupt:
        raise
    except BaseException as fault:
        raise _unresolved(name, wanted, fault, place) from fault
    for field in fields:
        try:
            # An empty list: msgspec checks the type without building anything.
            msgspec.convert([], list[field.type])  # type: ignore[name-defined]  # a type, known at run time
        except CtrlCInterrupt:
            raise
        except BaseException as fault:
            raise StrategyError(
                place,
                f"`{name}.{field.name}` has a type that cannot be used: {kind_and_message(fault)}",
                "a type that a plan can contain: bool, int, float, str, a date or time, Literal, Enum, or list, dict, "
                "dataclass or Struct of these, with constraints that fit it",
                "Correct its annotation.",
            ) from fault
    return {field.encode_name: field for field in fields}


def default_of(name: str, field: structs.FieldInfo, place: str) -> Any:
    """The field's default, from its factory if it has one; msgspec.NODEFAULT for a field without default.

    Raises StrategyError if the factory raises, or if a plan could not contain the default. None is always allowed: it
    usually means "not set", also without an annotation for it.
    """
    if field.default_factory is msgspec.NODEFAULT:
        default = field.default
    else:
        doing = f"the default_factory of `{name}.{field.name}`"
        with translate_user_errors(place, doing, "a function that returns the default", "Correct it.", unchanged=()):
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
            f"which its own type rejects: {safe_message(fault)}",
            "a default that a plan could contain",
            "Correct the default, or the field's annotation.",
        ) from fault
    return default


def _convert_default(default: object, kind: Any) -> None:
    try:
        msgspec.convert(default, kind)
    except msgspec.ValidationError:
        # msgspec converts some classes only from their plain form, such as a range from a list.
        msgspec.convert(list(default) if isinstance(default, range) else msgspec.to_builtins(default), kind)


def _unresolved(name: str, wanted: type[Params], fault: BaseException, place: str) -> StrategyError:
    field = next(_failing_annotations(wanted), "")
    what = f"the annotation of `{name}.{field}` does" if field else f"the annotations of `{name}` do"
    return StrategyError(
        place, f"{what} not resolve: {kind_and_message(fault)}", "types that exist at run time", RESOLVE
    )


def _failing_annotations(wanted: type) -> Iterator[str]:
    """The names of annotations that do not resolve. Each is tried alone, since msgspec tries all together."""
    for cls in type.__dict__["__mro__"].__get__(wanted):
        for name, annotation in inspect.get_annotations(cls).items():
            alone = type("Alone", (), {"__annotations__": {name: annotation}, "__module__": cls.__module__})
            try:
                typing.get_type_hints(alone, localns=dict(vars(cls)), include_extras=True)
            except CtrlCInterrupt:
                raise
            except BaseException:  # noqa: BLE001 - the error is already known
                yield name
