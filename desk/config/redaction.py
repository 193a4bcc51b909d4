"""Hides secrets in texts: values that this process knows, and what stands where a password or token stands."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from desk.config.settings import Settings, load_settings, secrets_folder

SHORTEST: Final = 8
"""Shorter values occur in files and texts by chance."""
HIDDEN: Final = "***"
TOKEN: Final = "RAY_AUTH_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_PATH: Final = "RAY_AUTH_TOKEN_PATH"  # noqa: S105 - likewise
TOKEN_FILE: Final = Path(".ray", "auth_token")

_SECRET_NAME: Final = re.compile(
    r"(?:^|_)(?:KEY|SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)(?:_|$)(?!.*(?:PATH|FILE|DIR)$)"
)
_IN_PLACE: Final = (
    re.compile(
        r"(?P<kept>\bauthorization\b['\"]?\s*[:=]\s*['\"]?(?:(?:bearer|basic|token)\s+)?)[^\s'\",]+", re.IGNORECASE
    ),
    re.compile(r"(?P<kept>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
    re.compile(r"(?P<kept>://[^/\s:@'\"]*:)[^\s@'\"]+(?=@)"),
    re.compile(
        r"(?P<kept>[?&](?:[^=&#\s]*(?:passw|secret|token|api_?key|account_key)[^=&#\s]*|sig)=)[^&#\s'\"]+",
        re.IGNORECASE,
    ),
)


class SecretFilter:
    """Replaces secrets in a text by asterisks: `values`, Authorization headers, passwords and tokens in URLs."""

    def __init__(self, values: Iterable[str]) -> None:
        longest_first = sorted({value for value in values if len(value) >= SHORTEST}, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    @classmethod
    def of_environment(cls) -> "SecretFilter":
        """The filter for the settings, secrets files and environment of this process. Raises PlanError."""
        named = (value for name, value in os.environ.items() if _SECRET_NAME.search(name.upper()))
        return cls([*known_secrets(load_settings()).values(), *named])

    def hide(self, text: str) -> str:
        """The text without secrets."""
        if self._values is not None:
            text = self._values.sub(HIDDEN, text)
        for pattern in _IN_PLACE:
            text = pattern.sub(rf"\g<kept>{HIDDEN}", text)
        return text


def known_secrets(settings: Settings) -> dict[str, str]:
    """The secrets that this process can read, by name: venue keys, passwords, the cluster's token."""
    found = {name.upper(): secret.get_secret_value() for name, secret in settings.secrets().items()}
    folder = secrets_folder()
    files = {path.name: path for path in (Path(folder).iterdir() if folder else ()) if path.is_file()}
    files[TOKEN_PATH] = Path(os.environ.get(TOKEN_PATH) or Path.home() / TOKEN_FILE)
    for name, path in files.items():
        try:
            found.setdefault(name, path.read_text("utf-8").strip())
        except (OSError, ValueError):
            continue
    found.setdefault(TOKEN, os.environ.get(TOKEN, ""))
    return {name: value for name, value in found.items() if len(value) >= SHORTEST}
