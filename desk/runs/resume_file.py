"""The file for a resume in a run's folder: plan, session, and fingerprints of the inputs."""

import errno
import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import Any, Final

import msgspec

from desk.files.atomic import replacing
from desk.files.sealing import Seal
from desk.model.errors import RunFolderError
from desk.model.session import Session
from desk.runs.exact_json import from_json, to_json
from desk.runs.fingerprints import Fingerprints
from desk.runs.state_key import REMEDY, StateKey, find_state_key, make_state_key

VERSION: Final = 3


class ResumeState(msgspec.Struct):
    """A started run: its resolved plan, its session, and its first shards; no shards before the session begins.

    `run` is a random name that no other run has. `accepted` are the changes of code that an earlier resume accepted.
    """

    plan: dict[str, Any]
    in_process: bool
    started_ns: int
    session: Session
    first: list[int] = []
    run: str = ""
    fingerprints: Fingerprints = msgspec.field(default_factory=Fingerprints)
    accepted: list[str] = []


class SealedResume(msgspec.Struct):
    """The file: a run, authenticated with the key of this name."""

    version: int
    key: str = ""
    tag: str = ""
    run: dict[str, Any] = {}


class ResumeFile:
    """resume.json: it exists from the start of a run to its orderly end.

    It names modules to import, so it is used only if its tag matches (desk/runs/state_key.py).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        self._key: StateKey | None = None

    @property
    def key(self) -> StateKey:
        """The key that authenticates the run. Raises RunFolderError, PlanError."""
        if self._key is None:
            self._key = make_state_key()
        return self._key

    def seal(self, run: str) -> Seal:
        """The seal of the run's other files."""
        return self.key.seal(run)

    def claim(self) -> None:
        """Lock the folder against other desks until this process ends.

        The lock is on the folder itself, not on a file. Raises RunFolderError if another desk has the lock, or the file
        system has no locks.
        """
        if self._lock is not None:
            return
        folder = self.path.parent
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                raise
        except OSError as error:
            if error.errno == errno.EWOULDBLOCK:
                found, expected, remedy = (
                    "another desk is at work on it",
                    "a run whose desk has ended",
                    "Wait for its end, or end it.",
                )
            else:
                found, expected, remedy = (
                    f"it cannot be locked: {error.strerror}",
                    "a folder on a file system with locks",
                    "Correct its permissions, or use a folder on a local disk.",
                )
            raise RunFolderError(str(folder), found, expected, remedy) from error
        self._lock = lock

    def write(self, resume: ResumeState) -> None:
        """Write the file atomically. Raises RunFailed, and the errors of `key`."""
        run = msgspec.to_builtins(msgspec.structs.replace(resume, plan={})) | {"plan": to_json(resume.plan)}
        content = {"version": VERSION, "key": self.key.name, "tag": self._tag(self.key, run), "run": run}
        with replacing(self.path) as beside:
            beside.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def require(self) -> None:
        """Raises RunFolderError where there is no run to resume."""
        if not os.path.lexists(self.path):
            raise RunFolderError(
                str(self.path.parent),
                "no run to go on with",
                "the folder of a run that was broken off: a finished one has no resume.json",
                "Name that folder, or run the plan anew.",
            )

    def read(self) -> ResumeState:
        """Read the file. Raises RunFolderError if it is missing, of another release, or not authentic."""
        self.require()
        try:
            file = msgspec.convert(json.loads(self.path.read_bytes()), SealedResume)
            if file.version != VERSION:
                raise self._other_release(file.version)
            self._key = find_state_key()
            self._require_authentic(file, self._key)
            return msgspec.convert(file.run | {"plan": from_json(file.run.get("plan"))}, ResumeState)
        except (OSError, ValueError, TypeError, RecursionError, msgspec.MsgspecError) as error:
            raise RunFolderError(
                str(self.path),
                f"it cannot be read: {error}",
                "what a run under way wrote",
                "Correct permissions, or run the plan anew in another folder.",
            ) from error

    def done(self) -> None:
        """Delete the file: the run has ended."""
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _require_authentic(self, file: SealedResume, key: StateKey) -> None:
        if file.key != key.name:
            raise RunFolderError(
                str(self.path), f"it was written under another key ({file.key})", f"the key {key.name}", REMEDY
            )
        if not secrets.compare_digest(file.tag, self._tag(key, file.run)):
            raise RunFolderError(
                str(self.path),
                "it is not what the desk wrote: its authentication code does not match",
                "the file as the desk wrote it",
                "Do not trust this folder. Run the plan anew in another one.",
            )

    def _tag(self, key: StateKey, run: dict[str, Any]) -> str:
        content = json.dumps(run, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return key.seal("resume.json").tag("resume.json", content.encode()).hex()

    def _other_release(self, version: int) -> RunFolderError:
        return RunFolderError(
            str(self.path),
            f"a run of another format ({version})",
            f"format {VERSION}, in which what is loaded is authenticated",
            "Resume it with the release of the desk that began it, or run the plan anew in another folder.",
        )
