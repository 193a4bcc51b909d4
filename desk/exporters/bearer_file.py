"""The bearer token of `/metrics` and `/healthz`: `metrics_token` in the state folder, made once.

Tests: tests/desk/exporters/test_status_server.py
"""

import secrets
from pathlib import Path
from typing import Final

from desk.config import load_settings
from desk.files.state_folder import create_secret, read_secret, state_folder
from desk.model.errors import PlanError

FILE: Final = "metrics_token"
TOKEN_BYTES: Final = 32
LEAST_LETTERS: Final = 32
REMEDY: Final = "Others may know this token: delete the file. The next run makes another."


def metrics_token() -> tuple[str, Path]:
    """The user's token and its file, which is created if there is none.

    Raises PlanError if no file can be kept, or it holds no token; RunFolderError if others can read or write it.
    """
    path = Path(FILE)
    try:
        path = state_folder(load_settings()) / FILE
        create_secret(path, secrets.token_urlsafe(TOKEN_BYTES).encode() + b"\n")
        token = read_secret(path, REMEDY).decode("ascii", "replace")
    except OSError as error:
        raise PlanError(
            f"[telemetry] {error.filename or path}",
            f"the token of /metrics and /healthz cannot be kept: {error.strerror}",
            "a writable state folder",
            "Set RAYDESK_STATE_DIR, or prometheus_port and healthz_port to 0.",
        ) from error
    if len(token) < LEAST_LETTERS or not token.isascii() or not token.isprintable():
        raise PlanError(
            f"[telemetry] {path}",
            "it holds no token",
            f"at least {LEAST_LETTERS} random characters",
            "Delete the file: the next run makes another.",
        )
    return token, path
