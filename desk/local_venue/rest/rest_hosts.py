"""Which vendor's host a REST path belongs to: limits, keys and errors differ by host.

Tests: tests/desk/local_venue/test_rest_door.py
"""

import re
from typing import Final, Literal

import msgspec

RestHost = Literal["trading", "data", "polygon"]

_TRADING: Final = re.compile(r"/v2/(assets|calendar|clock|account|orders|positions)(/.*)?")
_DATA: Final = re.compile(r"/v2/stocks/.*|/v1beta[13]/.*|/v1/corporate-actions")
_POLYGON: Final = re.compile(r"/v3/.*|/v2/aggs/.*")


def is_rest(path: str) -> bool:
    """Whether the path is one of a REST protocol."""
    return any(pattern.fullmatch(path) for pattern in (_TRADING, _DATA, _POLYGON))


def host_of(path: str) -> RestHost:
    """The host of a path for which `is_rest` holds."""
    if _POLYGON.fullmatch(path):
        return "polygon"
    return "trading" if _TRADING.fullmatch(path) else "data"


def fault_body(host: RestHost, status: int, text: str) -> bytes:
    """The body of an error, as the host writes it."""
    if host == "polygon":
        return msgspec.json.encode({"status": "NOT_FOUND" if status == 404 else "ERROR", "error": text})
    if host == "trading":
        return msgspec.json.encode({"code": status * 100_000 + 10_000, "message": text})
    return msgspec.json.encode({"message": text})
