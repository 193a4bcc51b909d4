"""Starts a new run, or resumes an interrupted one."""

import secrets
from pathlib import Path
from typing import Any

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
from desk.wiring import broker_factory, history_needs, plan_session, resume_inputs


class RunStart(msgspec.Struct, frozen=True):
    """A started run: when it was first started, its session, and the first epoch of its actors.

    `resume` is the state for a later resume, `shards` are the shards with checkpoints, which `seal` authenticates.
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
    """Open a new session, or continue the session of `resume`, and write the state for a later resume to the folder.

    Raises PlanError, LedgerError, RunFolderError if another desk uses the folder or the ledger is not the run's own,
    and RunFailed for damaged files or files of another run.
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
    if resume is None:
        state = _new_state(plan, source, folder, clock, in_process)
    else:
        broker_factory.require_known_ledger(plan, resume.session.id, folder.dir, resume.fingerprints.ledger)
        state = msgspec.structs.replace(resume, plan=_plan_values(plan), in_process=in_process)
    if folder.resume.key.note:
        folder.remarks.append(folder.resume.key.note)
    seal = folder.resume.seal(state.run)
    store = KeeperStore(folder.keeper, seal)
    if resume is None:
        store.begin()
    else:
        store.verify()
        _undo_close(plan, state.session, folder, store, clock.wall_ns())
    folder.resume.write(state)
    return RunStart(state.started_ns, state.session, store.epochs() + 1, state, sorted(store.shards()), seal)


def _new_state(
    plan: Plan, source: BlockSource | None, folder: RunFolder, clock: Clock, in_process: bool
) -> ResumeState:
    """Open the session of a new run."""
    now_ns = clock.wall_ns()
    derived = history_needs.with_needs(plan, plan_session.derive_session(plan, source, clock))
    session, ledger, close_undone = broker_factory.open_ledger_session(plan, derived, folder.dir, now_ns)
    if close_undone:
        folder.remarks.append(
            f"another run of session {session.id} was interrupted while it closed: "
            "its close was undone in the ledger, and the session continues"
        )
    fingerprints = resume_inputs.fingerprints(plan, ledger, folder.plan_file)
    run = secrets.token_hex(16)
    return ResumeState(_plan_values(plan), in_process, now_ns, session, [], run, fingerprints)


def _plan_values(plan: Plan) -> dict[str, Any]:
    """The plan with an absolute path of its tape."""
    values = plan.model_dump()
    if plan.feed.path and not is_url(plan.feed.path):
        values["feed"]["path"] = str(Path(plan.feed.path).absolute())
    return values


def _undo_close(plan: Plan, session: Session, folder: RunFolder, store: KeeperStore, now_ns: int) -> None:
    """Undo an interrupted close, whose results were not written: the session continues."""
    in_keeper = store.undo_close()
    in_ledger = broker_factory.undo_ledger_close(plan, session, folder.dir, now_ns)
    if in_keeper or in_ledger:
        folder.remarks.append(
            "the run was interrupted while it closed: its close was undone, and the session continues"
        )
