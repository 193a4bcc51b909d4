"""Token authentication between the processes of the desk's own Ray.

Ray's processes get the path of the token's file by their environment and read the file; the token itself is in no
environment and on no command line. The file has to stay as long as Ray runs: each new worker reads it.

Tests: tests/actors/test_closed_ray.py
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from actors.own_ray.cleanup import VARIABLE
from actors.ray_internals.starting import reread_authentication

MODE: Final = "RAY_AUTH_MODE"
TOKEN_BYTES: Final = 32


class EnvironmentVariables:
    """Variables set for the time of a Ray of one's own, a variable with None unset; `restore` undoes it."""

    def __init__(self, values: Mapping[str, str | None]) -> None:
        self._before = {name: os.environ.get(name) for name in values}
        _set(values)

    def restore(self) -> None:
        """Set every variable to what it was."""
        _set(self._before)


def write_token(file: Path) -> dict[str, str | None]:
    """Write a new token to this new file, 0600; the variables by which Ray finds it, whatever they were."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(secrets.token_hex(TOKEN_BYTES))
    return {MODE: "token", "RAY_AUTH_TOKEN": None, VARIABLE: str(file)}


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    reread_authentication()
