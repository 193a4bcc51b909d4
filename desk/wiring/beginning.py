"""The beginning of a run, or of another incarnation of one that was broken off."""

from pathlib import Path

import msgspec

from desk.checkpoint import KeeperStore
from desk.config import Plan
from desk.market.blocks import BlockSource
from desk.pipeline.session import Session
from desk.ports import Clock
from desk.runs import RunFolder
from desk.runs.resume import Resume
from desk.wiring import sessions, trading


class Begun(msgspec.Struct, frozen=True):
    """When the run began first, its session, and the first epoch of this incarnation's parts."""

    started_ns: int
    session: Session
    epoch: int


def begin(
    plan: Plan, source: BlockSource | None, folder: RunFolder, resume: Resume | None, clock: Clock, *, in_process: bool
) -> Begun:
    """Open the session, or take up that of `resume`, and leave in the folder what a successor needs.

    Raises PlanError, LedgerError, RunFolderError where another desk is at work on the folder, RunFailed.
    """
    folder.resume.claim()
    try:
        return _begin(plan, source, folder, resume, clock, in_process)
    except BaseException:
        folder.resume.release()
        raise


def _begin(
    plan: Plan, source: BlockSource | None, folder: RunFolder, resume: Resume | None, clock: Clock, in_process: bool
) -> Begun:
    now_ns = clock.wall_ns()
    if resume is not None:
        session = resume.session
    else:
        session = trading.open_session(plan, sessions.open_session(plan, source, clock), folder.dir, now_ns)
    started_ns = now_ns if resume is None else resume.started_ns
    told = plan.model_dump(mode="json")
    if plan.feed.path:
        told["feed"]["path"] = str(Path(plan.feed.path).absolute())
    folder.resume.write(Resume(told, in_process, started_ns, session))
    return Begun(started_ns, session, KeeperStore(folder.keeper).epochs() + 1)
