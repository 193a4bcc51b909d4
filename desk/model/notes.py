"""Notes: messages of a process of the desk, for log and live view."""

from typing import Literal

import msgspec

Level = Literal["info", "warning", "error"]


class Note(msgspec.Struct, frozen=True, array_like=True):
    """One line. `error`: needs attention; `warning`: recovers by itself, or has recovered; `info`: for information."""

    text: str
    level: Level = "warning"
