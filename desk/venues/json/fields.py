"""Fields of decoded JSON, by their path, as the values that ticks need.

Tests: tests/desk/venues/json/test_json_codec.py
"""

from collections.abc import Callable
from math import isfinite
from typing import Any, Final

from desk.config.json_plan import TimeFormat
from desk.streams.limits import MAX_SIZE, MAX_SYMBOL_CHARS
from desk.venues.frame_codec import MAX_TIME_NS, FieldError
from desk.venues.timestamps import rfc3339_ns

UNITS_NS: Final[dict[TimeFormat, int]] = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
ZONE_SIGNS: Final = ("+", "-")


class FieldReader:
    """Reads one field, "bid", or one further down, "data.bid", "bids.0.0" (an item of a list)."""

    def __init__(self, path: str) -> None:
        self._parts = tuple(path.split(".")) if path else ()

    def __call__(self, node: Any) -> Any:
        """The field's value; None if it is missing; the node itself for an empty path."""
        for part in self._parts:
            if isinstance(node, dict):
                node = node.get(part)
            elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
                node = node[int(part)]
            else:
                return None
        return node


def symbol_of(value: Any) -> str:
    """A symbol. Raises FieldError."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_SYMBOL_CHARS:
        raise FieldError("symbol")
    return value


def number_of(value: Any, cause: str) -> float:
    """A number that is not negative, also as text; 0 for null. Raises FieldError with this cause."""
    if value is None:
        return 0.0
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        raise FieldError(cause) from None
    if not (isfinite(number) and 0 <= number <= MAX_SIZE):
        raise FieldError(cause)
    return number


def time_reader(time_format: TimeFormat) -> Callable[[Any], int]:
    """A function from a field's value to a time in ns; it raises FieldError."""
    if time_format == "iso":
        return _iso_ns
    unit_ns = UNITS_NS[time_format]

    def epoch(value: Any) -> int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return _checked(value * unit_ns if whole else round(number_of(value, "time") * unit_ns))

    return epoch


def _iso_ns(value: Any) -> int:
    """The time in ISO 8601 text; without a zone it is UTC."""
    if not isinstance(value, str) or len(value) > MAX_SYMBOL_CHARS:
        raise FieldError("time")
    has_zone = value[-1:] in {"Z", "z"} or value[-6:-5] in ZONE_SIGNS
    try:
        return _checked(rfc3339_ns(value if has_zone else f"{value}Z"))
    except (ValueError, IndexError):
        raise FieldError("time") from None


def _checked(time_ns: int) -> int:
    if not 0 < time_ns <= MAX_TIME_NS:
        raise FieldError("time")
    return time_ns
