"""Recognition of files with secrets, by name and by content.

Tests: tests/actors/test_working_copy.py
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

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


def secret_in(content: bytes, known: Mapping[str, str]) -> str:
    """Describe the secret that a file's content has, "" for none."""
    if _PRIVATE_KEY.search(content):
        return "it holds a private key"
    return next((f"it holds the value of {name}" for name, value in known.items() if value.encode() in content), "")
