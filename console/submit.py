"""`desk submit`: a plan, checked here, run as a job of a Ray cluster, and shown to its end."""

import asyncio
import re
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from rich.console import Console

from actors.jobs import JobEnd, Jobs
from console.elsewhere import check_market, plan_in_copy
from console.following import Follower
from console.job_package import job_package, listing
from console.loaded import load_all
from console.run import refuse_unasked_live
from console.terminal import line
from desk.config import Settings, load_plan, load_settings, override
from desk.config.urls import goes_unencrypted
from desk.loading.imports import Loading
from desk.model.errors import BY_SIGNAL, PlanError, RunFailed
from desk.report import words

CLOSING_S: Final = 120
"""What a desk may take to drain its lanes and close its books before Ray ends it, as SIGKILL does."""
VERDICT: Final = re.compile(r"^(ok|complete with \S+ problems?|failed) · (?:not )?balanced · ", re.MULTILINE)
"""How the last line of `desk run` begins (console.figures.verdict)."""


@dataclass(frozen=True)
class SubmitOptions:
    """What the command line says beside the plan's path; `run_dir` is a path on the cluster.

    `includes` are files and folders that go along besides. `address_from` tells where the address was written.
    """

    address: str
    consumers: int | None = None
    live: bool = False
    run_dir: str | None = None
    date: str | None = None
    includes: tuple[str, ...] = ()
    address_from: str = "--address"

    def flags(self) -> list[str]:
        """The same for `python -m actors`."""
        consumers = [] if self.consumers is None else ["--consumers", str(self.consumers)]
        live = ["--live"] if self.live else []
        run_dir = [] if self.run_dir is None else ["--run-dir", self.run_dir]
        date = [] if self.date is None else ["--date", self.date]
        return [*consumers, *live, *run_dir, *date]


def submit_plan(path: Path, options: SubmitOptions, console: Console) -> int:
    """Run the plan as a job, show its log to its end; the exit status of its desk.

    Raises DeskError where plan, folder or cluster do not let it begin, where it fails without a status of its own, and
    where the connection is lost.
    """
    settings = load_settings()
    plan = override(load_plan(path), settings, options.consumers, options.date)
    refuse_unasked_live(path, plan, asked=options.live)
    _require_lasting(options.run_dir)
    before = Loading()
    load_all(path, plan)
    copy, notes = job_package(path, plan, settings, options.includes, before)
    command = ["python", "-m", "actors", plan_in_copy(path, copy), *options.flags()]
    notes += check_market(path, plan, copy)
    copy.require_small()

    def tell(text: str) -> None:
        console.print(line(text), soft_wrap=True)

    if goes_unencrypted(options.address):
        tell(
            f"! token and package go unencrypted to {options.address}, and the token lets its reader run code there: "
            "`ray dashboard cluster.yaml`, or another tunnel, brings the dashboard to 127.0.0.1"
        )
    jobs = Jobs(options.address, options.address_from)
    files = words.some(len(copy.bytes_by_file), "file")
    tell(f"{plan.session.name} · {plan.session.mode} · {files} of {copy.folder} to {options.address}")
    for text in listing(copy):
        tell(text)
    for note in notes:
        tell(f"! {note}")
    follower = Follower(jobs, partial(console.out, end="", highlight=False), tell)

    def submit() -> str:
        with copy.copied() as folder:
            return jobs.submit(command, folder, _variables(settings), tell)

    end = asyncio.run(follower.follow(submit))
    status = exit_status(end, follower.said, follower.received)
    if status >= BY_SIGNAL:
        tell(f"! no verdict, status {status}: the desk ended before it had begun, or before its books were closed")
    return status


def exit_status(end: JobEnd, said: str, received: int | None) -> int:
    """The status of the desk that was a job, from how the job ended and what it said last.

    Ray tells nothing of a desk that was stopped: its verdict does, and one without a verdict died of the signal that
    was `received` here, or of a SIGTERM that somebody else sent. Raises RunFailed for a job that never ran.
    """
    if end.stopped:
        verdicts = VERDICT.findall(said)
        if not verdicts:
            return BY_SIGNAL + (received or signal.SIGTERM)
        return 1 if verdicts[-1] == "failed" else 0
    if end.exit_code is None:
        raise RunFailed("the job", f"it did not run: {end.message}", "a cluster that runs jobs", "Mend what it names.")
    return end.exit_code if end.exit_code >= 0 else BY_SIGNAL - end.exit_code


def _require_lasting(run_dir: str | None) -> None:
    if run_dir is not None and not PurePosixPath(run_dir).is_absolute():
        raise PlanError(
            "command line, --run-dir",
            f"`{run_dir}`, which would lie in the job's own folder, and that is thrown away",
            "an absolute path on the cluster",
            "Name one, or leave it out: RAYDESK_RUNS_DIR says there where run folders are made.",
        )


def _variables(settings: Settings) -> dict[str, str]:
    """What the job's environment is told from here. Everybody sees it: never a secret."""
    spoken = {"NUM_CONSUMERS": settings.num_consumers, "DATA_CONNECTOR": settings.data_connector}
    said = {name: str(value) for name, value in spoken.items() if value is not None}
    return {"RAY_JOB_STOP_WAIT_TIME_S": str(CLOSING_S), **said}
