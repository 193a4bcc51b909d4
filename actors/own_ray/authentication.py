"""Token authentication between the processes of the desk's own Ray.

The environment of Ray's processes has the path of the token file, not the token itself; nor has a command line. The
file must exist while Ray runs: each new worker reads it.

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
    """Environment variables set while the desk's own Ray runs; None unsets a variable. `restore` undoes it."""

    def __init__(self, values: Mapping[str, str | None]) -> None:
        self._before = {name: os.environ.get(name) for name in values}
        _set(values)

    def restore(self) -> None:
        """Restore the previous value of every variable."""
        _set(self._before)


def write_token(file: Path) -> dict[str, str | None]:
    """Write a new token to this new file, mode 0600; return the environment variables that make Ray use it."""
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
