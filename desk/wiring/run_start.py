"""The beginning of a run, or of another incarnation of one that was broken off."""

import secrets
from pathlib import Path

import msgspec

from desk.checkpoint import KeeperStore
from desk.config import Plan
from desk.config.plan_urls import is_url
from desk.files.sealing import Seal
from desk.model.blocks import BlockSource
from desk.model.session import Session
from desk.ports import Clock
from desk.runs import RunFolder
from desk.runs.resume_file import ResumeState
from desk.wiring import broker_factory, plan_session, resume_inputs


class RunStart(msgspec.Struct, frozen=True):
    """When the run began first, its session, and the first epoch of this incarnation's parts.

    `resume` is what was left for a successor. `shards` are those that have left checkpoints; `seal` authenticates them.
    """

    started_ns: int
    session: Session
    epoch: int
    resume: ResumeState
    shards: list[int]
    seal: Seal


def start_run(
    plan: Plan,
    source: BlockSource | None,
    folder: RunFolder,
    resume: ResumeState | None,
    clock: Clock,
    *,
    in_process: bool,
) -> RunStart:
    """Open the session, or take up that of `resume`, and leave in the folder what a successor needs.

    Raises PlanError, LedgerError, RunFolderError where another desk is at work on the folder or the ledger is not the
    run's, RunFailed for damaged or foreign files.
    """
    folder.resume.claim()
    try:
        return _begin(plan, source, folder, resume, clock, in_process)
    except BaseException:
        folder.resume.release()
        raise


def _begin(
    plan: Plan,
    source: BlockSource | None,
    folder: RunFolder,
    resume: ResumeState | None,
    clock: Clock,
    in_process: bool,
) -> RunStart:
    folder.results_url = plan.results.url
    now_ns = clock.wall_ns()
    run = secrets.token_hex(16) if resume is None else resume.run
    if resume is None:
        opened = plan_session.derive_session(plan, source, clock)
        session, ledger, taken_back = broker_factory.open_ledger_session(plan, opened, folder.dir, now_ns)
        if taken_back:
            folder.remarks.append(
                f"another run of session {session.id} was broken off while it closed: "
                "its close was taken back in the ledger, the session continues"
            )
        marks = resume_inputs.fingerprints(plan, ledger, folder.plan_file)
    else:
        session, marks = resume.session, resume.fingerprints
        broker_factory.require_known_ledger(plan, session.id, folder.dir, marks.ledger)
    if folder.resume.key.note:
        folder.remarks.append(folder.resume.key.note)
    started_ns = now_ns if resume is None else resume.started_ns
    told = plan.model_dump()
    if plan.feed.path and not is_url(plan.feed.path):
        told["feed"]["path"] = str(Path(plan.feed.path).absolute())
    store = KeeperStore(folder.keeper, folder.resume.seal(run))
    if resume is None:
        store.begin()
    else:
        store.verify()
        _take_back_close(plan, session, folder, store, now_ns)
    first, accepted = ([], []) if resume is None else (resume.first, resume.accepted)
    left = ResumeState(told, in_process, started_ns, session, first, run, marks, accepted)
    folder.resume.write(left)
    return RunStart(started_ns, session, store.epochs() + 1, left, sorted(store.shards()), folder.resume.seal(run))


def _take_back_close(plan: Plan, session: Session, folder: RunFolder, store: KeeperStore, now_ns: int) -> None:
    """Undo a close whose results were not written: the session continues."""
    kept = store.undo_close()
    written = broker_factory.undo_ledger_close(plan, session, folder.dir, now_ns)
    if kept or written:
        folder.remarks.append("the run was broken off while it closed: its close was taken back, the session continues")
