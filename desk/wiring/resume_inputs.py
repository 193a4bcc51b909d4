"""Compares the inputs of a resumed run with those at its start: tape, code, versions and plan.

Tests: tests/desk/inprocess/test_resume_judged.py
"""

import hashlib
import platform
from collections.abc import Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

from desk.config import Plan
from desk.loading.sources import source_fingerprints
from desk.model.errors import RunFolderError, StrategyError
from desk.runs.fingerprints import Fingerprints, differences
from desk.runs.resume_file import ResumeState
from desk.venues.feed_factory import ReplayFactory
from desk.venues.registry import feed_factory

SHOWN: Final = 5
SHOWN_DIGITS: Final = 16
PACKAGES: Final = ("raydesk", "ray", "numpy", "msgspec", "pyarrow", "sqlalchemy", "exchange-calendars")


def fingerprints(plan: Plan, ledger: str, plan_file: Path | None) -> Fingerprints:
    """Fingerprints of the plan's tape and code now, with the ledger's identity. Raises TapeError, CredentialsError."""
    files = [] if plan_file is None else [str(plan_file)]
    return Fingerprints(_tape(plan), ledger, _code(plan), _versions(), _files(files))


def require_same(plan: Plan, resume: ResumeState, *, accept: bool) -> tuple[ResumeState, list[str]]:
    """Compare tape, code and versions with those at the start of the run; `accept` allows other code.

    Returns the state for the next resume, and a warning for each accepted change. Raises RunFolderError for another
    tape, StrategyError for other code, TapeError, CredentialsError.
    """
    before = resume.fingerprints
    now = Fingerprints(_tape(plan), before.ledger, _code(plan), _versions(), before.plan)
    if changed := differences(before.tape, now.tape):
        raise RunFolderError(
            f"the tape {plan.feed.path}",
            f"not the tape with which the run started: {_listed(changed)}",
            "the same files",
            "Restore them, or start a new run in another folder.",
        )
    changed = differences(before.code, now.code)
    if changed and not accept:
        raise StrategyError(
            "the code of strategies and scanners",
            f"not the code with which the run started: {_listed(changed)}",
            "the same modules",
            "Restore them, or use the new code for the rest of the run with --accept-changes.",
        )
    warnings = [f"resumed with other code: {phrase}" for phrase in changed]
    warnings += [f"resumed with other versions: {phrase}" for phrase in differences(before.versions, now.versions)]
    warnings += [
        f"the run keeps the plan with which it started: {phrase}"
        for phrase in differences(before.plan, _files(before.plan))
    ]
    accepted = [*resume.accepted, *(warning for warning in warnings if warning not in resume.accepted)]
    return msgspec.structs.replace(resume, fingerprints=now, accepted=accepted), accepted


def _tape(plan: Plan) -> dict[str, str]:
    factory = feed_factory(plan)
    return factory.fingerprints(plan) if isinstance(factory, ReplayFactory) else {}


def _code(plan: Plan) -> dict[str, str]:
    return source_fingerprints([*(entry.use for entry in plan.strategies), *(entry.use for entry in plan.scanners)])


def _files(paths: Iterable[str]) -> dict[str, str]:
    """Shortened SHA-256 of the readable files."""
    found = {}
    for path in paths:
        with suppress(OSError):
            found[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:SHOWN_DIGITS]
    return found


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _listed(changes: list[str]) -> str:
    more = f"; and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
    return "; ".join(changes[:SHOWN]) + more
