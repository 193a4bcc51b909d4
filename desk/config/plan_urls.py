"""URLs in a plan: distinguishes them from paths, and detects secrets in them."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qsl, urlsplit

UNENCRYPTED: Final = frozenset({"http", "ws"})
STORE_CREDENTIALS: Final = "Use the store's own environment variables or files: see docs/how-to/storage.md."
STORES: Final = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs", "file")

# Options that SQLAlchemy passes to Python's sqlite3 (its documentation, "SQLite: Pysqlite"). It ignores other options.
SQLITE_OPTIONS: Final = ("cached_statements", "check_same_thread", "detect_types", "isolation_level", "timeout", "uri")

_URL: Final = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
# Before the path, a colon is followed by a port or by a password, in which a badly escaped slash is possible.
_PASSWORD: Final = re.compile(r"^[^:]+://[^/?#@]*:(?![0-9]*(?:[/?#]|$))")
_SECRET_OPTION: Final = re.compile(r"[?&](?:[^=&#]*(?:passw|secret|token|account_key)[^=&#]*|sig)=", re.IGNORECASE)
_IPV6_HOST: Final = re.compile(r"\[[0-9A-Fa-f:.]*\]")


def is_url(text: str) -> bool:
    """Whether the text is a URL, not a path."""
    return _URL.match(text) is not None


def has_secret(url: str) -> bool:
    """Whether the URL has a password, a key or a token, before its host or in its options."""
    plain = _IPV6_HOST.sub("", url)
    return bool(_PASSWORD.match(plain) or _SECRET_OPTION.search(plain))


def unknown_sqlite_option(url: str) -> str:
    """The first unknown option after `?` in the URL of a SQLite file; "" for none.

    Such a `?` is probably part of the file's name: to ignore the rest would open another file.
    """
    options = [name for name, _ in parse_qsl(url.partition("?")[2], keep_blank_values=True)]
    if scheme_of(url) != "sqlite" or "uri" in options:
        return ""
    return next((name for name in options if name not in SQLITE_OPTIONS), "")


def unusable_host(url: str) -> str:
    """Why the host or the port of a URL is invalid; "" if both are valid."""
    try:
        port = urlsplit(url).port
    except ValueError as error:
        return str(error)
    return "port 0" if port == 0 else ""


def is_loopback(host: str) -> bool:
    """Whether a host is `localhost` or a loopback address. Subdomains of localhost are not: DNS resolves them."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_unencrypted(url: str) -> bool:
    """Whether data sent to this URL leaves this machine without TLS."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    return scheme_of(url).lower() in UNENCRYPTED and not is_loopback(host)


def scheme_of(url: str) -> str:
    """The part before `://`."""
    return url.partition("://")[0]
