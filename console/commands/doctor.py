"""`desk doctor`: what makes the data of a desk old, and which process and code is the cause."""

import socket
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from console.commands.stacks import find_holder
from console.display.terminal import line
from desk.config import load_settings
from desk.files.private import read_regular
from desk.model.errors import RunFolderError
from desk.model.units import SECOND_NS
from desk.report.diagnosis import Finding, diagnose_interval, diagnose_recorded, not_measured
from desk.report.live_snapshot import LiveSnapshot, decode_snapshot
from desk.report.meter_interval import MeterInterval, interval_between, sum_of
from desk.runs import RunFolder
from desk.telemetry import formatting

LOOK_EVERY_S: Final = 0.2
FRESH_S: Final = 10.0
"""A desk publishes once a second; after this time without one it is taken for dead."""
PATIENCE_S: Final = 15.0
CODE: Final = frozenset({"interpreter lock", "garbage collection", "ledger", "log", "strategy", "CPU"})
"""The kinds of findings of which code of the process is the cause."""


class Verdict(msgspec.Struct, kw_only=True):
    """The answer of `desk doctor`, as `--json` prints it."""

    run: str
    live: bool
    seconds: float
    healthy: bool
    findings: list[Finding]
    not_measured: list[str]


def print_verdict(path: Path | None, seconds: float, console: Console, *, as_json: bool) -> None:
    """Examine the desk of this run folder, by default the newest one. Raises RunFolderError."""
    folder = RunFolder(path or newest_run(load_settings().runs_dir))
    verdict = examine(folder, seconds)
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(verdict), indent=2).decode() + "\n")
        return
    for text in verdict_lines(verdict):
        console.print(line(text), soft_wrap=True)


def examine(folder: RunFolder, seconds: float) -> Verdict:
    """Sample a running desk for so long, or read the meters of a finished one. Raises RunFolderError."""
    first = _published(folder)
    if first is not None and time.time_ns() - first.wall_ns < FRESH_S * SECOND_NS:
        later = _wait_for_later(folder, first, seconds)
        if later is not None:
            interval = interval_between(first, later)
            findings = diagnose_interval(interval)
            if findings and findings[0].kind in CODE and _is_here(later, findings[0]):
                findings[0].holder = find_holder(findings[0])
            return _verdict(folder, interval, findings, live=True)
    intervals = _recorded(folder)
    total = sum_of(intervals)
    if total is None:
        raise _no_desk(folder.dir, "a run that ended before its first meters")
    return _verdict(folder, total, diagnose_recorded(intervals), live=False)


def verdict_lines(verdict: Verdict) -> list[str]:
    """The verdict for people."""
    source = "a running desk" if verdict.live else "the meters of a run that has ended"
    head = f"{verdict.run}: {source}, {formatting.duration(verdict.seconds)}"
    if verdict.healthy:
        return [head, "healthy: no process waits for long, and the data are fresh", *verdict.not_measured]
    lines = [head]
    for number, finding in enumerate(verdict.findings, 1):
        hop = f", hop {finding.hop}" if finding.hop else ""
        lines.append(
            f"{number}. {finding.kind} · {finding.process} (process {finding.pid}{hop}) · "
            f"{formatting.percent(finding.share)}"
        )
        lines += [f"   {text}" for text in finding.evidence]
        if finding.holder:
            lines.append(f"   code: {finding.holder}")
        lines.append(f"   remedy: {finding.remedy}")
    return [*lines, *verdict.not_measured]


def newest_run(runs: Path) -> Path:
    """The run folder whose meters are the newest. Raises RunFolderError if there is none."""
    found: list[tuple[float, Path]] = []
    for name in ("live.msgpack", "meters.jsonl"):
        for file in runs.glob(f"*/{name}"):
            try:
                found.append((file.stat().st_mtime, file.parent))
            except OSError:  # the desk has just ended
                continue
    if not found:
        raise _no_desk(runs, "no run with meters in it")
    return max(found)[1]


def _verdict(folder: RunFolder, interval: MeterInterval, findings: list[Finding], *, live: bool) -> Verdict:
    return Verdict(
        run=folder.dir.name,
        live=live,
        seconds=interval.seconds,
        healthy=not findings,
        findings=findings,
        not_measured=not_measured(interval),
    )


def _is_here(live: LiveSnapshot, finding: Finding) -> bool:
    """Whether the process runs on this machine: then its stacks can be read."""
    nodes = {row.actor: row.node for row in live.processes}
    return live.host == socket.gethostname() and nodes.get(finding.process, "other") == live.node


def _wait_for_later(folder: RunFolder, first: LiveSnapshot, seconds: float) -> LiveSnapshot | None:
    """A snapshot that is so much later; None if the desk ends or stops publishing before."""
    end_s = time.monotonic() + seconds + PATIENCE_S
    while time.monotonic() < end_s:
        time.sleep(LOOK_EVERY_S)
        later = _published(folder)
        if later is None:
            return None
        if later.wall_ns - first.wall_ns >= seconds * SECOND_NS:
            return later
    return None


def _published(folder: RunFolder) -> LiveSnapshot | None:
    """What the desk has published last; None where no desk publishes. Raises RunFolderError for a damaged file."""
    try:
        return decode_snapshot(read_regular(folder.live))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        found = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise RunFolderError(
            str(folder.live),
            f"it cannot be read: {found}",
            "the file that a running desk of this release writes",
            "Use the release that runs the desk.",
        ) from error


def _recorded(folder: RunFolder) -> list[MeterInterval]:
    """The meters of a run that has ended, in intervals. Raises RunFolderError."""
    try:
        lines = read_regular(folder.meters).splitlines()
    except OSError as error:
        raise _no_desk(folder.dir, "neither a running desk nor the meters of a finished one") from error
    try:
        return [msgspec.json.decode(each, type=MeterInterval) for each in lines]
    except msgspec.DecodeError as error:
        raise RunFolderError(
            str(folder.meters), f"a line cannot be read: {error}", "lines that a desk wrote", "Name another run folder."
        ) from error


def _no_desk(place: Path, found: str) -> RunFolderError:
    return RunFolderError(
        str(place),
        found,
        "the folder of a running or finished desk",
        "Name one: `desk run` prints it, and --run-dir chooses it.",
    )
