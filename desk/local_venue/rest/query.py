"""The parameters of a request.

Tests: tests/desk/local_venue/test_alpaca_answers.py
"""

import re
from datetime import UTC, date, datetime
from typing import Final
from urllib.parse import parse_qsl

from desk.local_venue.rest.rest_fault import RestFault
from desk.model.units import SECOND_NS

NANOS: Final = 9
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)?", re.IGNORECASE)


class Query:
    """The parameters of a URL's query by name. Every method raises RestFault 400 for a value that it cannot read."""

    def __init__(self, text: str) -> None:
        self.values = dict(parse_qsl(text))

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        return self.values.get(name) or default

    def choice(self, name: str, default: str, *allowed: str) -> str:
        """One of some words."""
        value = self.text(name, default).lower()
        if value not in allowed:
            raise RestFault(400, f"invalid {name}: {value}")
        return value

    def names(self, name: str) -> list[str]:
        """Strings separated by commas, each once, sorted."""
        return sorted({part.strip() for part in self.text(name).split(",") if part.strip()})

    def symbols(self) -> list[str]:
        """The required `symbols`."""
        found = [symbol.upper() for symbol in self.names("symbols")]
        if not found:
            raise RestFault(400, "symbols is required")
        return found

    def whole(self, name: str, default: int, most: int) -> int:
        """A whole number from 1 to `most`."""
        text = self.text(name)
        if not text:
            return default
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise RestFault(400, f"invalid {name}: it must be between 1 and {most}")
        return int(text)

    def time_ns(self, name: str, default_ns: int) -> int:
        """A time in RFC 3339 with up to nine decimals, or a date, in UTC."""
        text = self.text(name)
        if not text:
            return default_ns
        try:
            return read_time(text)
        except ValueError:
            raise RestFault(400, f"invalid {name}: {text}") from None

    def day(self, name: str, default: date) -> date:
        """A date."""
        text = self.text(name)
        if not text:
            return default
        try:
            return date.fromisoformat(text[:10])
        except ValueError:
            raise RestFault(400, f"invalid {name}: {text}") from None


def read_time(text: str) -> int:
    """A time in RFC 3339, or a date, as ns. Raises ValueError."""
    found = _TIME.fullmatch(text)
    if found is None:
        return int(datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC).timestamp()) * SECOND_NS
    seconds, fraction, zone = found.groups()
    at = datetime.fromisoformat(seconds + (zone or "Z").upper().replace("Z", "+00:00"))
    return int(at.timestamp()) * SECOND_NS + int((fraction or "").ljust(NANOS, "0"))
