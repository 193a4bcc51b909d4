"""What a run leaves in its folder so that another desk can go on with it: plan and session."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any, Final

import msgspec

from desk.model.errors import RunFolderError
from desk.pipeline.session import Session
from desk.runs.atomic import replacing
from desk.runs.exact import from_json, to_json

VERSION: Final = 2
PLAIN: Final = 1
"""The version before: plan values are plain JSON."""


class Resume(msgspec.Struct):
    """A run under way: its resolved plan, its session, and the shards with which it began; none before it did."""

    plan: dict[str, Any]
    in_process: bool
    started_ns: int
    session: Session
    version: int = VERSION
    first: list[int] = []


class ResumeFile:
    """resume.json: there from the first moment of a run to its orderly end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path.with_suffix(".lock")
        self._lock: int | None = None

    def claim(self) -> None:
        """Keep every other desk away from the folder until this process ends, however it does.

        Raises RunFolderError where another desk is at work on it.
        """
        lock = os.open(self._lock_path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise RunFolderError(
                str(self.path.parent),
                "another desk is at work on it",
                "a run whose desk has ended",
                "Wait for its end, or end it.",
            ) from error
        self._lock = lock

    def write(self, resume: Resume) -> None:
        """Write it at once. Raises RunFailed."""
        content = msgspec.to_builtins(msgspec.structs.replace(resume, plan={})) | {"plan": to_json(resume.plan)}
        with replacing(self.path) as beside:
            beside.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def read(self) -> Resume:
        """What it says. Raises RunFolderError where there is nothing to go on with."""
        try:
            found = msgspec.convert(json.loads(self.path.read_bytes()), Resume)
            if found.version == VERSION:
                found.plan = from_json(found.plan)
        except FileNotFoundError:
            found = None
        except (OSError, ValueError, TypeError, msgspec.MsgspecError) as error:
            raise RunFolderError(
                str(self.path),
                f"it cannot be read: {error}",
                "what a run under way wrote",
                "Correct permissions, or run the plan anew in another folder.",
            ) from error
        if found is None or found.version not in {VERSION, PLAIN}:
            raise RunFolderError(
                str(self.path.parent),
                "no run to go on with" if found is None else f"a run of another format ({found.version})",
                "the folder of a run that was broken off: a finished one has no resume.json",
                "Name that folder, or run the plan anew.",
            )
        return found

    def done(self) -> None:
        """The run came to its end: there is nothing to go on with."""
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Let other desks work on the folder."""
        if self._lock is not None:
            self._lock_path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None
