"""`desk submit`: check a plan here, run it as a job on a Ray cluster, and show its log until it ends."""

import asyncio
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from rich.console import Console

from actors.jobs.job_server import JobClient, JobEnd
from actors.jobs.working_copy import WorkingCopy
from console.commands.run import refuse_unasked_live
from console.display.terminal import line
from console.plan_classes import load_classes
from console.submission.cluster_checks import check_market, plan_in_copy
from console.submission.job_follower import JobFollower
from console.submission.job_package import job_package, listing
from desk.config import Plan, Settings, load_plan, load_settings, override
from desk.config.plan_urls import is_unencrypted
from desk.loading.imports import ImportTracker
from desk.model.errors import BY_SIGNAL, PlanError, RunFailed
from desk.telemetry import formatting

CLOSING_S: Final = 120
"""How long Ray waits between SIGTERM and SIGKILL: a desk drains its lanes and writes its results in that time."""
VERDICT: Final = re.compile(r"^(ok|complete with \S+ problems?|failed) · (?:not )?balanced · ", re.MULTILINE)
"""The start of the last line of `desk run` (console.display.figures.verdict)."""


@dataclass(frozen=True)
class SubmitOptions:
    """The options of `desk submit`; `run_dir` is a path on the cluster.

    `includes` are files and folders to send as well. `address_from` names the source of the address in messages.
    """

    address: str
    consumers: int | None = None
    live: bool = False
    run_dir: str | None = None
    date: str | None = None
    includes: tuple[str, ...] = ()
    address_from: str = "--address"

    def flags(self) -> list[str]:
        """The options to pass on to `python -m actors`."""
        consumers = [] if self.consumers is None else ["--consumers", str(self.consumers)]
        live = ["--live"] if self.live else []
        run_dir = [] if self.run_dir is None else ["--run-dir", self.run_dir]
        date = [] if self.date is None else ["--date", self.date]
        return [*consumers, *live, *run_dir, *date]


def submit_plan(path: Path, options: SubmitOptions, console: Console) -> int:
    """Run the plan as a job and show its log until it ends; return the exit status of its desk.

    Raises DeskError if the plan, the folder or the cluster is not usable, if the job fails without an exit status, and
    if the connection is lost.
    """

    def tell(text: str) -> None:
        console.print(line(text), soft_wrap=True)

    settings = load_settings()
    plan = override(load_plan(path), settings, options.consumers, options.date)
    package = _checked_package(path, plan, options, settings)
    if is_unencrypted(options.address):
        tell(
            f"! token and package go unencrypted to {options.address}, and a reader of the token can run code there: "
            "use `ray dashboard cluster.yaml` or another tunnel, which brings the dashboard to 127.0.0.1"
        )
    jobs = JobClient(options.address, options.address_from)
    _announce(plan, package, options.address, tell)
    follower = JobFollower(jobs, partial(console.out, end="", highlight=False), tell)

    def submit() -> str:
        with package.copy.copied() as folder:
            return jobs.submit(package.command, folder, _variables(settings), _metadata(plan, options.run_dir), tell)

    end = asyncio.run(follower.follow(submit))
    status = exit_status(end, follower.said, follower.received)
    if status >= BY_SIGNAL:
        tell(f"! no verdict, status {status}: the desk ended before it started, or before it wrote its results")
    return status


class _Package(NamedTuple):
    """The files to send, the job's command, and notes for the user."""

    copy: WorkingCopy
    command: list[str]
    notes: list[str]


def _checked_package(path: Path, plan: Plan, options: SubmitOptions, settings: Settings) -> _Package:
    """Check the plan, its classes and its market data, and collect the files to send. Raises DeskError."""
    refuse_unasked_live(path, plan, asked=options.live)
    _require_lasting(options.run_dir)
    before = ImportTracker()
    load_classes(path, plan)
    copy, notes = job_package(path, plan, settings, options.includes, before)
    command = ["python", "-m", "actors", plan_in_copy(path, copy), *options.flags()]
    notes += check_market(path, plan, copy)
    copy.require_small()
    return _Package(copy, command, notes)


def _announce(plan: Plan, package: _Package, address: str, tell: Callable[[str], None]) -> None:
    """List what is sent, with the notes."""
    files = formatting.some(len(package.copy.bytes_by_file), "file")
    tell(f"{plan.session.name} · {plan.session.mode} · {files} of {package.copy.folder} to {address}")
    for text in listing(package.copy):
        tell(text)
    for note in package.notes:
        tell(f"! {note}")


def exit_status(end: JobEnd, said: str, received: int | None) -> int:
    """The exit status of the desk in a job that has ended; `said` is the end of the job's log.

    Ray reports no exit status for a job that was stopped. Then the verdict in the log decides. Without a verdict the
    desk was ended by the signal `received` here, or by a SIGTERM from elsewhere. Raises RunFailed for a job that did
    not run.
    """
    if end.stopped:
        verdicts = VERDICT.findall(said)
        if not verdicts:
            return BY_SIGNAL + (received or signal.SIGTERM)
        return 1 if verdicts[-1] == "failed" else 0
    if end.exit_code is None:
        raise RunFailed(
            "the job", f"it did not run: {end.message}", "a cluster that runs jobs", "Correct the named cause."
        )
    return end.exit_code if end.exit_code >= 0 else BY_SIGNAL - end.exit_code


def _require_lasting(run_dir: str | None) -> None:
    if run_dir is not None and not PurePosixPath(run_dir).is_absolute():
        raise PlanError(
            "command line, --run-dir",
            f"`{run_dir}`, a path in the job's own folder, which Ray deletes when the job ends",
            "an absolute path on the cluster",
            "Name one, or omit the option: then RAYDESK_RUNS_DIR of the cluster decides.",
        )


def _metadata(plan: Plan, run_dir: str | None) -> dict[str, str]:
    """What the dashboard shows about the job; none of it is a secret."""
    folder = run_dir or f"{plan.session.name}-<utc time> in RAYDESK_RUNS_DIR of the cluster"
    return {"plan": plan.session.name, "run_folder": folder}


def _variables(settings: Settings) -> dict[str, str]:
    """The variables to pass on to the job. The dashboard shows them, so none is a secret."""
    ours = {"NUM_CONSUMERS": settings.num_consumers, "DATA_CONNECTOR": settings.data_connector}
    set_here = {name: str(value) for name, value in ours.items() if value is not None}
    return {"RAY_JOB_STOP_WAIT_TIME_S": str(CLOSING_S), **set_here}
