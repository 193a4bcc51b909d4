"""Files by URL: object stores and file systems that pyarrow knows, read and written as local ones are.

Credentials come from the sources of each store's own tools: the environment, files in the home folder, the machine's
role.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import pyarrow as pa
from pyarrow import fs

from desk.config.plan_urls import STORES, has_secret, scheme_of
from desk.model.errors import CredentialsError, DeskError, RunFailed

GS_RETRY_S: Final = 30
LONGEST: Final = 300

# In these stores a folder is only a prefix of names; it is not created.
WITHOUT_FOLDERS: Final = frozenset({"s3", "gcs", "abfs"})

# Words in pyarrow's messages for missing or rejected credentials, by store.
_REFUSED: Final = (
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY_ID",
    "INVALID_CLIENT_TOKEN_ID",
    "SIGNATURE_DOES_NOT_MATCH",
    "EXPIRED_TOKEN",
    "Permission denied",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "Could not create a OAuth2 access token",
    "AuthenticationFailed",
    "AuthenticationException",
    "AuthorizationPermissionMismatch",
)
_AWAY: Final = ("NETWORK_CONNECTION", "curlCode", "UNAVAILABLE", "SLOW_DOWN", "SERVICE_UNAVAILABLE", "Retry policy")


class StoragePath(NamedTuple):
    """A place in a file system: `url` is for messages, without options; `path` is the file system's name."""

    url: str
    filesystem: Any
    path: str

    def __truediv__(self, name: str) -> "StoragePath":
        return StoragePath(f"{self.url.rstrip('/')}/{quote(name)}", self.filesystem, f"{self.path.rstrip('/')}/{name}")


def storage_path(url: str, kind: type[DeskError]) -> StoragePath:
    """Return the place that the URL names, without a check that it exists.

    Raises `kind` for an invalid URL, and the errors of `translate_storage_errors`.
    """
    if has_secret(url):
        raise kind(
            f"{scheme_of(url)}://…",
            "credentials in the URL",
            "a URL without",
            "Give them where the store's own tools look for them, as docs/how-to/storage.md tells.",
        )
    if scheme_of(url) not in STORES:
        raise kind(url, f"unknown scheme `{scheme_of(url)}`", f"one of {', '.join(STORES)}", "Correct the URL.")
    with translate_storage_errors(url, kind):
        filesystem, path = fs.FileSystem.from_uri(_bounded(url))
    return StoragePath(url.partition("?")[0], filesystem, path)


@contextmanager
def translate_storage_errors(place: str, kind: type[DeskError]) -> Iterator[None]:
    """Translate errors of a store within the block to an error at `place`.

    It is CredentialsError, RunFailed if the store cannot be reached, or else `kind`.
    """
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise storage_error(place, kind, error) from error


def storage_error(place: str, kind: type[DeskError], error: Exception) -> DeskError:
    """Return the DeskError for a store's error."""
    found = str(error).split("\n", maxsplit=1)[0].rstrip(".")
    refused = isinstance(error, PermissionError) or any(words in found for words in _REFUSED)
    if len(found) > LONGEST:
        found = found[: LONGEST - 1] + "…"
    if refused:
        return CredentialsError(
            place,
            found,
            "credentials that may read and write there",
            "Give them where the store's own tools look for them, on the machine that runs the desk: "
            "docs/how-to/storage.md tells.",
        )
    if any(words in found for words in _AWAY):
        return RunFailed(
            place,
            found,
            "a store that answers",
            "Check that it can be reached from here, and try again; `desk run --resume` continues a run.",
        )
    return kind(place, found, "a file or folder that can be used", "Correct the URL.")


def _bounded(url: str) -> str:
    """The URL with a limit on retries; Google's client retries for a quarter of an hour by default."""
    if scheme_of(url) in {"gs", "gcs"} and "retry_limit_seconds" not in url:
        return f"{url}{'&' if '?' in url else '?'}retry_limit_seconds={GS_RETRY_S}"
    return url
