"""The run folder: summary, bars, decisions, ledger, log and report of one run."""

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Self

import msgspec

from desk.files.atomic import replacing
from desk.files.private import make_private_folder, read_regular
from desk.model.bars import Bar
from desk.model.errors import RunFolderError
from desk.model.records import Decision
from desk.model.units import SECOND_NS
from desk.report.summary import Summary
from desk.runs.bars_file import NO_METADATA, write_bars
from desk.runs.decisions_file import write_decisions
from desk.runs.folder_trust import require_own_folder
from desk.runs.resume_file import ResumeFile, ResumeState


class RunFolder:
    """The folder `dir` and the paths in it; those of files that the run has not written yet, too.

    `results_url` is where a copy of a finished run's files belongs besides; empty: nowhere. `notes` are those on the
    run's plan, for its log; `remarks` are warnings about the folder and the resume, for log and summary. Spans are
    written to `trace_file`, if it is set.
    """

    def __init__(self, folder: Path) -> None:
        self.dir = folder
        self.results_url = ""
        self.notes: list[str] = []
        self.remarks: list[str] = []
        self.plan_file: Path | None = None
        self.trace_file: Path | None = None
        self._found = True
        self.summary = folder / "summary.json"
        self.bars = folder / "bars.parquet"
        self.decisions = folder / "decisions.parquet"
        self.ledger = folder / "ledger.db"
        self.log = folder / "desk.log"
        self.report = folder / "report.html"
        self.live = folder / "live.msgpack"
        self.meters = folder / "meters.jsonl"
        self.keeper = folder / "keeper"
        self.tape = folder / "tape"
        self.history = folder / "history"
        self.ledger_rows = folder / "ledger.rows"
        self.resume = ResumeFile(folder / "resume.json")

    @classmethod
    def create(cls, base: Path | None, run_dir: Path | None, name: str, now_ns: int) -> Self:
        """A new, empty folder: `run_dir` where it is given, else `<base>/<name>-<utc time>`; base is `runs`.

        Raises RunFolderError when `run_dir` holds something already, or when it cannot be made.
        """
        _require_text(run_dir or base or Path("runs"))
        try:
            found = run_dir is not None and run_dir.exists()
            folder = _empty(run_dir) if run_dir is not None else _fresh(base or Path("runs"), name, now_ns)
            # Absolute, so that nothing depends on what a process takes for its working directory.
            run = cls(folder.absolute())
        except OSError as error:
            raise RunFolderError(
                str(run_dir or base or Path("runs")),
                f"the run folder cannot be made: {error.strerror}",
                "a folder that can be made and written",
                "Correct its permissions, or name another with --run-dir.",
            ) from error
        run._found = found
        return run

    @classmethod
    def take_up(cls, folder: Path) -> tuple[Self, ResumeState]:
        """Claim the folder of an interrupted run; return it with the run's resume state.

        Raises RunFolderError if there is none, another desk works on it, other users could have changed it, or the file
        is not authentic.
        """
        run = cls(folder.absolute())
        run.resume.require()
        if run.dir.is_symlink() and run.dir.lstat().st_uid == os.geteuid():
            run = cls(run.dir.resolve())
        run.resume.claim()
        try:
            run.remarks = require_own_folder(run.dir)
            return run, run.resume.read()
        except BaseException:
            run.resume.release()
            raise

    def discard(self) -> None:
        """Remove the created folder if its run never began, that is, if it has no log."""
        if self.log.exists():
            return
        for path in (self.ledger, self.ledger_rows):
            path.unlink(missing_ok=True)
        self.resume.done()
        if not self._found:
            shutil.rmtree(self.dir, ignore_errors=True)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The folder of a finished run. Raises RunFolderError when it holds none."""
        run = cls(folder)
        run.read_summary()
        return run

    def read_summary(self) -> dict[str, Any]:
        """Read summary.json. Raises RunFolderError if it cannot be read."""
        try:
            return msgspec.json.decode(read_regular(self.summary), type=dict[str, Any])
        except (OSError, msgspec.DecodeError, RecursionError) as error:
            found = error.strerror if isinstance(error, OSError) else str(error)
            raise RunFolderError(
                str(self.summary),
                f"it cannot be read: {found}",
                "the folder of a finished run",
                "Name one; `desk run` prints it at its end.",
            ) from error

    def figures(self) -> Summary:
        """The run's figures, from summary.json. Raises RunFolderError if it cannot be read or is no summary."""
        try:
            return Summary.of(self.read_summary())
        except msgspec.ValidationError as error:
            raise RunFolderError(
                str(self.summary),
                f"it is no summary of a run: {error}",
                "the folder of a finished run",
                "Name one; `desk run` prints it at its end.",
            ) from error

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json at once, NaN and infinities as null. Raises RunFailed."""
        content = msgspec.json.format(msgspec.json.encode(dict(summary)), indent=2) + b"\n"
        with replacing(self.summary) as beside:
            beside.write_bytes(content)

    def write_report(self, page: str) -> None:
        """Write report.html. Raises RunFailed."""
        with replacing(self.report) as beside:
            beside.write_text(page, encoding="utf-8")

    def write_bars(self, bars: Iterable[Bar], metadata: Mapping[str, str] = NO_METADATA) -> int:
        """Write bars.parquet from the priced bars among these, in any order; its rows. Raises RunFailed."""
        return write_bars(self.bars, bars, metadata)

    def write_decisions(self, decisions: Iterable[Decision]) -> int:
        """Write decisions.parquet in canonical order; its rows. Raises RunFailed."""
        return write_decisions(self.decisions, decisions)


def _require_text(folder: Path) -> None:
    """Raise RunFolderError for a path that is not UTF-8: databases, Parquet and JSON accept only UTF-8."""
    shown = os.fsencode(folder.absolute()).decode("utf-8", errors="backslashreplace")
    if shown != str(folder.absolute()):
        raise RunFolderError(
            shown, "its path is not UTF-8", "a folder whose path is text", "Name another with --run-dir."
        )


def _empty(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunFolderError(
            str(folder),
            "it is not empty" if folder.is_dir() else "it is not a folder",
            "a folder that is absent or empty",
            "Name another with --run-dir, or move this one away.",
        )
    if folder.exists() and folder.stat().st_uid != os.geteuid():
        raise RunFolderError(
            str(folder),
            f"it belongs to user {folder.stat().st_uid}",
            f"a folder of user {os.geteuid()}",
            "Name another with --run-dir.",
        )
    make_private_folder(folder, parents=True, exist_ok=True)
    return folder


def _fresh(base: Path, name: str, now_ns: int) -> Path:
    base.mkdir(parents=True, exist_ok=True)
    at = datetime.fromtimestamp(now_ns // SECOND_NS, UTC)
    stem = f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}-{at:%Y%m%dT%H%M%SZ}"
    for attempt in count(1):
        folder = base / (stem if attempt == 1 else f"{stem}-{attempt}")
        try:
            make_private_folder(folder)
        except FileExistsError:
            continue
        return folder
    raise AssertionError  # count() does not end
