"""URLs that a plan may hold: told apart from paths, and never with a secret in them."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qsl, urlsplit

PLAIN: Final = frozenset({"http", "ws"})
STORES: Final = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs", "file")

# Options that SQLAlchemy passes to Python's sqlite3 (its documentation, "SQLite: Pysqlite"); it ignores all others.
SQLITE_OPTIONS: Final = ("cached_statements", "check_same_thread", "detect_types", "isolation_level", "timeout", "uri")

_URL: Final = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
# Before the path, what follows a colon is a port, or else a password: a badly escaped one may even hold a slash.
_PASSWORD: Final = re.compile(r"^[^:]+://[^/?#@]*:(?![0-9]*(?:[/?#]|$))")
_SECRET_OPTION: Final = re.compile(r"[?&](?:[^=&#]*(?:passw|secret|token|account_key)[^=&#]*|sig)=", re.IGNORECASE)
_NUMERIC_HOST: Final = re.compile(r"\[[0-9A-Fa-f:.]*\]")


def is_url(text: str) -> bool:
    """Whether this is a URL, and no path."""
    return _URL.match(text) is not None


def has_secret(url: str) -> bool:
    """Whether a password, a key or a token stands in the URL, before its host or among its options."""
    plain = _NUMERIC_HOST.sub("", url)
    return bool(_PASSWORD.match(plain) or _SECRET_OPTION.search(plain))


def unknown_sqlite_option(url: str) -> str:
    """Unknown options after `?` in the URL of a SQLite file; empty for none.

    It belongs to a file's name, most likely: left out, it would make another file.
    """
    options = [name for name, _ in parse_qsl(url.partition("?")[2], keep_blank_values=True)]
    if scheme_of(url) != "sqlite" or "uri" in options:
        return ""
    return next((name for name in options if name not in SQLITE_OPTIONS), "")


def unusable_host(url: str) -> str:
    """Why host and port of a URL cannot be used, in words; "" where they can."""
    try:
        port = urlsplit(url).port
    except ValueError as error:
        return str(error)
    return "port 0" if port == 0 else ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or number. Names below localhost are looked up, so they are not."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_unencrypted(url: str) -> bool:
    """Whether what is sent to this URL leaves this machine without TLS."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""  # of no host that there can be
    return scheme_of(url).lower() in PLAIN and not is_loopback(host)


def scheme_of(url: str) -> str:
    """What stands before `://`."""
    return url.partition("://")[0]
