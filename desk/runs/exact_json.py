"""Values of a TOML file in JSON and back, exactly: JSON has no infinities, no NaN, no dates and no times."""

import math
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any, Final

SIGN: Final = "$"
_READ: Final[dict[str, Callable[[str], Any]]] = {
    "$float": float,
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
}
_TABLE: Final = "$table"


def to_json(value: Any) -> Any:
    """The value in JSON's own types. What JSON lacks becomes an object with one key, such as {"$float": "inf"}.

    A table that looks like such an object is wrapped in one: {"$table": …}.
    """
    match value:
        case float() if not math.isfinite(value):
            return {"$float": repr(value)}
        case datetime():
            return {"$datetime": value.isoformat()}
        case date():
            return {"$date": value.isoformat()}
        case time():
            return {"$time": value.isoformat()}
        case list() | tuple():
            return [to_json(each) for each in value]
        case dict():
            table = {key: to_json(each) for key, each in value.items()}
            return {_TABLE: table} if _is_marked(value) else table
        case _:
            return value


def from_json(value: Any) -> Any:
    """The inverse of `to_json`; a tuple becomes a list. Raises ValueError for an object that it does not write."""
    match value:
        case list():
            return [from_json(each) for each in value]
        case dict() if _is_marked(value):
            ((sign, content),) = value.items()
            if sign == _TABLE:
                return {key: from_json(each) for key, each in content.items()}
            if sign not in _READ:
                raise ValueError(f"unknown kind of value `{sign}`")
            return _READ[sign](content)
        case dict():
            return {key: from_json(each) for key, each in value.items()}
        case _:
            return value


def _is_marked(table: dict[str, Any]) -> bool:
    return len(table) == 1 and next(iter(table)).startswith(SIGN)
