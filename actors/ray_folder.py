"""Where a Ray of the desk's own keeps its sockets and logs.

A Unix socket's path has 107 bytes at most (unix(7)), and Ray puts up to 68 of its own behind the folder for temporary
files. Where that folder is too long, or cannot be used, the desk makes a short one and removes it at its end.
"""

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Final

from desk.model.errors import PlanError

SOCKET_BYTES: Final = 107
BELOW: Final = len("/ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store")
MOST_BYTES: Final = SOCKET_BYTES - BELOW
SHORT: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - what is made there is a folder of this user's alone
VARIABLES: Final = ("RAY_TMPDIR", "TMPDIR")


class RayFolder:
    """The folder to give to Ray: `path` is None where Ray's own choice serves, else a private one; `why` says why.

    Raises PlanError where there is no short folder that can be written.
    """

    def __init__(self, short: tuple[str, ...] = SHORT) -> None:
        self.path: str | None = None
        self.why = _fault()
        if not self.why:
            return
        for parent in short:
            try:
                self.path = tempfile.mkdtemp(prefix="raydesk-", dir=parent)  # 0700
            except OSError:
                continue
            self._remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
            return
        raise PlanError(
            f"environment, {_variable() or VARIABLES[0]}",
            f"{self.why}, and in {', '.join(short)} no folder can be made",
            f"a folder that can be written, with a path of at most {MOST_BYTES} bytes",
            "Set RAY_TMPDIR to such a folder.",
        )

    def close(self) -> None:
        """Remove the private folder."""
        if self.path is not None:
            self._remove()


def _fault() -> str:
    """The fault of the folder that Ray would use; empty if it is usable."""
    variable = _variable()
    folder = Path(os.environ[variable] if variable else "/tmp")  # noqa: S108 - as Ray does
    said = f"{variable}={folder}" if variable else f"{folder}"
    if not folder.is_absolute():
        return f"{said} is not absolute"
    if not folder.is_dir():
        return f"{said} is no folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{said} cannot be written"
    if len(os.fsencode(folder)) > MOST_BYTES:
        return f"{said} is too long for sockets below it"
    return ""


def _variable() -> str:
    """The variable that names Ray's folder, as Ray looks for it."""
    return next((name for name in VARIABLES if name in os.environ), "")
