"""Recognition of files with secrets, by name and by content.

Tests: tests/actors/test_working_copy.py
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from desk.config import Settings, secrets_folder

SHORTEST: Final = 8
"""Shorter values occur in files by chance."""
TOKEN: Final = "RAY_AUTH_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_PATH: Final = "RAY_AUTH_TOKEN_PATH"  # noqa: S105 - likewise
TOKEN_FILE: Final = Path(".ray", "auth_token")

_PART: Final = r"(?:^|[^a-z]){}(?:$|[^a-z])"
_WORDS: Final = re.compile(_PART.format(r"(?:secrets?|credentials?|passwords?|passwd|tokens?)"), re.IGNORECASE)
_NAMES: Final = re.compile(
    _PART.format(r"(?:keys?|env)") + r"|^id_(?:rsa|dsa|ecdsa|ed25519)"
    r"|\.(?:pem|key|p12|pfx|jks|keystore|kdbx|gpg|asc|ppk|p8|der|crt)$",
    re.IGNORECASE,
)
_PRIVATE_KEY: Final = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")


def is_named_like_a_secret(below: Path) -> bool:
    """Whether a file's path within the project is hidden, or named after keys, tokens or passwords."""
    if any(part.startswith(".") for part in below.parts):
        return True
    if any(_WORDS.search(part) for part in (*below.parts[:-1], below.stem)):
        return True
    return below.suffix != ".py" and _NAMES.search(below.name) is not None


def known_secrets(settings: Settings) -> dict[str, bytes]:
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
    return {name: value.encode() for name, value in found.items() if len(value) >= SHORTEST}


def secret_in(content: bytes, known: Mapping[str, bytes]) -> str:
    """Describe the secret that a file's content has, "" for none."""
    if _PRIVATE_KEY.search(content):
        return "it holds a private key"
    return next((f"it holds the value of {name}" for name, value in known.items() if value in content), "")
