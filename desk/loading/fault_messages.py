"""Messages about faults in user code. No function here raises, even if objects of that code do.

Tests: tests/desk/loading/test_factory.py
"""

import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final, TypeGuard, TypeVar

from desk.model.plain_text import from_outside

T = TypeVar("T")

MAX_CHARS: Final = 400
UNKNOWN_PLACE: Final = "an unknown place"


def place_in_code(fault: BaseException) -> str:
    """File and line of the innermost frame outside Python's import machinery."""
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
    """The message of an exception in one line."""
    try:
        return _bounded(str(fault))
    except BaseException as second:  # noqa: BLE001 - the author's own __str__, which may raise anything
        return f"its message cannot be read, as its __str__ raises {safe_class_name(type(second))}"


def safe_class_name(cls: type) -> str:
    """The class's name, read without its metaclass."""
    name: str = type.__dict__["__name__"].__get__(cls)
    return name


def is_subclass(found: object, base: type[T]) -> TypeGuard[type[T]]:
    """Whether `found` is a subclass of `base`, decided without its metaclass and its `__class__`."""
    return issubclass(type(found), type) and base in type.__dict__["__mro__"].__get__(found)[1:]


def safe_repr(value: object) -> str:
    """The value's repr in one line, also if its class raises."""
    try:
        text = repr(value)
    except BaseException as fault:  # noqa: BLE001 - the author's own __repr__, which may raise anything
        return f"a {safe_class_name(type(value))} whose __repr__ raises {safe_class_name(type(fault))}"
    return _bounded(text)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A suggestion of the most similar known name; "" if none is similar."""
    close = get_close_matches(name, list(known), n=1)
    return f"Did you mean `{close[0]}`?" if close else ""


def _bounded(text: str) -> str:
    return from_outside(" ".join(text.split()), MAX_CHARS)
