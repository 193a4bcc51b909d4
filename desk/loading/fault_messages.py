"""Messages about faults in user code. No function raises, even if objects of that code do.

Tests: tests/desk/loading/test_factory.py
"""

import traceback
from typing import Final, TypeGuard, TypeVar

from desk.model.plain_text import from_outside

T = TypeVar("T")

LONGEST: Final = 400
UNKNOWN_PLACE: Final = "an unknown place"


def place_in_code(fault: BaseException) -> str:
    """File and line where it was raised; frames of the import machinery are no place anybody can mend."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(fault.__traceback__)]
    for filename, line in reversed(frames):
        if not filename.startswith("<frozen importlib"):
            return f"{filename}, line {line}"
    return UNKNOWN_PLACE


def cause(fault: BaseException) -> str:
    """Kind, message and place of an exception in one line."""
    return f"{kind_and_message(fault)} ({place_in_code(fault)})"


def kind_and_message(fault: BaseException) -> str:
    """Kind and message of an exception in one line."""
    text = safe_message(fault)
    kind = safe_class_name(type(fault))
    return f"{kind}: {text}" if text else kind


def safe_message(fault: BaseException) -> str:
    """Its message alone."""
    try:
        return _bounded(str(fault))
    except BaseException as second:  # noqa: BLE001 - the author's own __str__, which may raise anything
        return f"its message cannot be read, as its __str__ raises {safe_class_name(type(second))}"


def safe_class_name(cls: type) -> str:
    """The class's own name, whatever its metaclass says to that."""
    name: str = type.__dict__["__name__"].__get__(cls)
    return name


def is_subclass(found: object, base: type[T]) -> TypeGuard[type[T]]:
    """Whether it is a class below `base`, whatever its metaclass or its `__class__` says to that."""
    return issubclass(type(found), type) and base in type.__dict__["__mro__"].__get__(found)[1:]


def safe_repr(value: object) -> str:
    """The value as Python writes it, in one line; without raising where its class does."""
    try:
        text = repr(value)
    except BaseException as fault:  # noqa: BLE001 - the author's own __repr__, which may raise anything
        return f"a {safe_class_name(type(value))} whose __repr__ raises {safe_class_name(type(fault))}"
    return _bounded(text)


def _bounded(text: str) -> str:
    return from_outside(" ".join(text.split()), LONGEST)
