"""Types of values in the tradeplan, with the words for them in error messages.

Tests: tests/desk/config/test_plan.py
"""

import re
from collections.abc import Collection
from datetime import date
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from desk.config.plan_urls import STORES


def class_name(data: dict[str, Any]) -> str:
    """The class in `use` ("package.module:Class")."""
    return str(data["use"]).partition(":")[2]


def one_of(names: Collection[str]) -> AfterValidator:
    """A validator that accepts only these names."""

    def check(name: str) -> str:
        if name not in names:
            raise ValueError("an unknown name")
        return name

    return AfterValidator(check)


def _distinct(items: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(items)) != len(items):
        raise ValueError("a duplicate")
    return items


def _star_alone(symbols: tuple[str, ...]) -> tuple[str, ...]:
    if "*" in symbols and len(symbols) > 1:
        raise ValueError('"*" beside symbols')
    return symbols


def _day(text: str) -> str:
    if text:
        date.fromisoformat(text)
    return text


def _only_run_dir(url: str) -> str:
    if set(re.findall(r"[{}][^{}]*}?", url)) - {"{run_dir}"}:
        raise ValueError("a placeholder other than {run_dir}")
    return url


# Venues allow 128 characters in a client_order_id: session (40), strategy (40), symbol (16) and decision number.
Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._-]{1,40}$",
        json_schema_extra={"words": 'text of 1 to 40 letters, digits, ".", "_" or "-"'},
    ),
]

ClassPath = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$",
        json_schema_extra={"words": 'text of the form "package.module:Class"'},
    ),
]

TimeOfDay = Annotated[
    str,
    Field(
        pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?)?$",
        json_schema_extra={"words": 'text: a time of day as "HH:MM" or "HH:MM:SS", or ""'},
    ),
]

Mic = Annotated[
    str,
    Field(
        pattern=r"^([A-Z0-9]{4}|24/7)$",
        json_schema_extra={"words": 'text: a code of four capital letters or digits such as "XNYS", or "24/7"'},
    ),
]

Day = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        json_schema_extra={"words": 'text: a calendar day as "YYYY-MM-DD"'},
    ),
    AfterValidator(_day),
]

DayOrNone = Annotated[
    str,
    Field(
        pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$",
        json_schema_extra={"words": 'text: a calendar day as "YYYY-MM-DD", or ""'},
    ),
    AfterValidator(_day),
]

Symbol = Annotated[
    str,
    Field(
        pattern=r"^(\*|[A-Z0-9][A-Za-z0-9./^=+_-]{0,15})$",
        json_schema_extra={"words": 'text: a symbol as the venue writes it, such as "SPY", or "*"'},
    ),
]

Symbols = Annotated[
    tuple[Symbol, ...],
    Field(strict=False, json_schema_extra={"words": 'a list of symbols, each once, or ["*"] alone'}),
    AfterValidator(_distinct),
    AfterValidator(_star_alone),
]

Distinct = AfterValidator(_distinct)

# Characters of a URI (RFC 3986, section 2) without `#`, `?`, `[` and `]`.
_URI: Final = r"(?:[A-Za-z0-9._~:/@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
_REMOTE: Final = tuple(store for store in STORES if store != "file")

LedgerUrl = Annotated[
    str,
    Field(
        pattern=r"^(sqlite:///.+|postgresql\+psycopg://\S+)$",
        json_schema_extra={
            "words": 'text: "sqlite:///" and the path of a file, which may contain {run_dir}, or '
            '"postgresql+psycopg://user@host/database"'
        },
    ),
    AfterValidator(_only_run_dir),
]

StoreUrl = Annotated[
    str,
    Field(
        pattern=rf"^(file://{_URI}+|({'|'.join(_REMOTE)})://(\[[0-9A-Fa-f:.]+\])?({_URI}|\?)+)?$",
        json_schema_extra={
            "words": f'text: a folder as "s3://bucket/folder" or "file:///folder" ({", ".join(STORES)}), or ""'
        },
    ),
]

StreamUrl = Annotated[
    str,
    Field(
        pattern=r"^(wss?://[^\s/@]+(/\S*)?)?$",
        json_schema_extra={"words": 'text: a websocket address as "ws://host:port/path" or "wss://host/path", or ""'},
    ),
]

SecretName = Annotated[
    str,
    Field(
        pattern=r"^([A-Z][A-Z0-9_]*_(KEY|SECRET|TOKEN|PASSWORD))?$",
        json_schema_extra={
            "words": 'text: the name of a variable that ends with _KEY, _SECRET, _TOKEN or _PASSWORD, or ""'
        },
    ),
]

RestUrl = Annotated[
    str,
    Field(
        pattern=r"^(https?://[^\s/@?#]+)?$",
        json_schema_extra={"words": 'text: an address as "https://host" or "http://host:port", or ""'},
    ),
]

HostName = Annotated[
    str,
    Field(
        pattern=r"^([A-Za-z0-9]([A-Za-z0-9.-]{0,252})|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$",
        json_schema_extra={"words": 'text: a host name or address, such as "127.0.0.1"'},
    ),
]

OtlpEndpoint = Annotated[
    str,
    Field(
        pattern=r"^(((grpcs?|https?)://)?[^\s/?#]+:[0-9]{1,5}(/[^\s?#]*)?|https?://[^\s/?#]+(/[^\s?#]*)?)?$",
        json_schema_extra={
            "words": 'text: a receiver as "http://host:4317" (gRPC), "http://host:4318" (HTTP) or "grpc://host:port", '
            'or ""'
        },
    ),
]

MetricPrefix = Annotated[
    str,
    Field(
        pattern=r"^([A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*)?$",
        json_schema_extra={"words": 'text: words of letters, digits and "_" with dots between them, or ""'},
    ),
]

HeartbeatUrl = Annotated[
    str,
    Field(
        pattern=r"^(https?://[^\s/?#]+(/\S*)?)?$",
        json_schema_extra={"words": 'text: an address as "https://host/path", or ""'},
    ),
]
