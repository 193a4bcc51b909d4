"""The beginning of a run, or of another incarnation of one that was broken off."""

from pathlib import Path

import msgspec

from desk.checkpoint import KeeperStore
from desk.config import Plan
from desk.config.urls import is_url
from desk.market.blocks import BlockSource
from desk.pipeline.session import Session
from desk.ports import Clock
from desk.runs import RunFolder
from desk.runs.resume import Resume
from desk.wiring import sessions, trading


class Begun(msgspec.Struct, frozen=True):
    """When the run began first, its session, and the first epoch of this incarnation's parts.

    `resume` is what was left for a successor. `shards` are those that have left checkpoints.
    """

    started_ns: int
    session: Session
    epoch: int
    resume: Resume
    shards: list[int]


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
    folder.results_url = plan.results.url
    now_ns = clock.wall_ns()
    if resume is not None:
        session = resume.session
    else:
        session = trading.open_session(plan, sessions.open_session(plan, source, clock), folder.dir, now_ns)
    started_ns = now_ns if resume is None else resume.started_ns
    told = plan.model_dump()
    if plan.feed.path and not is_url(plan.feed.path):
        told["feed"]["path"] = str(Path(plan.feed.path).absolute())
    left = Resume(told, in_process, started_ns, session, first=[] if resume is None else resume.first)
    folder.resume.write(left)
    store = KeeperStore(folder.keeper)
    return Begun(started_ns, session, store.epochs() + 1, left, sorted(store.shards()))
