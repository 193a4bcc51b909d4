"""Checks of a plan for a cluster, as far as they can be made on this machine.

Tests: tests/console/test_console_submit.py
"""

import os
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

from actors.jobs.working_copy import WorkingCopy
from desk.config import Plan
from desk.config.plan_urls import is_loopback
from desk.model.errors import PlanError
from desk.process.clock import SystemClock
from desk.tape.files import find_files
from desk.wiring.markets import market_source
from desk.wiring.plan_session import derive_session


def plan_in_copy(path: Path, copy: WorkingCopy) -> str:
    """The plan's path in the job's copy of the folder. Raises PlanError if the copy does not hold the plan."""
    place = Path(os.path.normpath(copy.folder / path))
    if place not in copy:
        raise PlanError(
            str(path),
            f"it is outside {copy.folder}, which is uploaded to the cluster",
            "a plan below the working directory",
            "Run the command in the project's folder, or copy the plan there.",
        )
    return place.relative_to(copy.folder).as_posix()


def check_market(path: Path, plan: Plan, copy: WorkingCopy) -> list[str]:
    """Check that the job will find the plan's market data; return a line for each check that only the cluster can make.

    Raises PlanError or TapeError if the market data cannot be found there. Adds a tape of this folder to the copy.
    """
    feed = plan.feed
    if feed.is_live:
        return _stream(plan)
    if feed.path:
        written = tomllib.loads(path.read_text("utf-8-sig"))["feed"]["path"]
        if "://" in written or Path(written).is_absolute():
            return [f"the tape {written} is expected on the cluster, not on this machine"]
        _add_tape(path, written, feed.path, copy)
    derive_session(plan, market_source(plan), SystemClock())
    return []


def _stream(plan: Plan) -> list[str]:
    if plan.session.clock == "real":
        derive_session(plan, None, SystemClock())
    if is_loopback(urlsplit(plan.feed.url).hostname or ""):
        return [f"the venue at {plan.feed.url} is expected on the cluster's head, not on this machine"]
    return ["the stream's keys are the cluster's, from the folder that RAYDESK_SECRETS_DIR names there"]


def _add_tape(path: Path, written: str, found: str, copy: WorkingCopy) -> None:
    """Add the tape to the copy. `written` is its path in the plan, `found` its path on this machine."""
    if not Path(found).is_relative_to(copy.folder):
        raise PlanError(
            f"{path}, [feed] path",
            f'`"{written}"`, which is outside {copy.folder} and is not uploaded',
            "a tape on the cluster, by its absolute path or URL, or one in this folder",
            "Copy the tape to the cluster, and name its path there.",
        )
    for file in find_files(found).files:
        copy.add(Path(file.path))
