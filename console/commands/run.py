"""`desk run`: run or resume a plan, show the desk meanwhile, and print the verdict."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from console.display.figures import print_figures, verdict
from console.display.screen import screen_for
from console.display.terminal import line
from console.error_messages import ErrorReporter
from console.plan_classes import load_classes, volume_warnings
from desk.config import Plan, load_plan, load_settings, override, plan_notes
from desk.model.errors import BadInput, CredentialsError, PlanError, StoppedEarly
from desk.model.plain_text import first_line
from desk.process.signals import be_orderly, stop_signals
from desk.report.desk_view import DeskView
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.runs.resume_file import ResumeState

FILE_SAMPLE: Final = 0.05

Show = Callable[[DeskView], None]
DeskRunner = Callable[[Plan, RunFolder, ResumeState | None, Show], Summary]
"""Runs a plan, or resumes its run, to the end; passes views to `Show` meanwhile; writes the files of the run folder."""


@dataclass(frozen=True)
class RunOptions:
    """The options of `desk run`, except the plan's path and the choice of process."""

    run_dir: Path | None = None
    consumers: int | None = None
    live: bool = False
    quiet: bool = False
    date: str | None = None
    accept_changes: bool = False
    joins_cluster: bool = False
    """The producer reads the keys of the feed from its own environment, so this process does not need them."""
    trace: Path | None = None


def run_plan(path: Path, options: RunOptions, runner: DeskRunner, console: Console, faults: ErrorReporter) -> int:
    """Run the plan and return the exit status: 0 if the run is complete and balanced, else 1, or that of its feed.

    Raises DeskError for a bad plan, before the folder is created, and the errors of the desk, after printing the last
    line. If bad input or missing credentials stop the run before it starts, the folder is removed.
    """
    settings = load_settings()
    written = load_plan(path)
    plan = _with_traces(override(written, settings, options.consumers, options.date), options.trace)
    refuse_unasked_live(path, plan, asked=options.live)
    classes = load_classes(path, plan)
    from desk.venues.api_keys import api_keys  # noqa: PLC0415 - slow to import: a faulty plan is reported before
    from desk.wiring import broker_factory  # noqa: PLC0415 - as above

    if not options.joins_cluster:
        api_keys(plan)

    be_orderly()
    folder = RunFolder.create(settings.runs_dir, options.run_dir, plan.session.name, time.time_ns())
    folder.notes = plan_notes(written, plan)
    folder.remarks += volume_warnings(plan, classes)
    folder.plan_file = path.absolute()
    folder.trace_file = options.trace
    faults.log = folder.log
    run = _Run(plan, folder, None, options, console, _relative(folder.dir))
    try:
        broker_factory.require_ledger(plan, folder.dir)
        summary = run.shown(runner)
    except Exception as fault:
        if isinstance(fault, BadInput | CredentialsError | StoppedEarly):
            folder.discard()
        if folder.dir.exists():
            run.print_failure(fault)
        raise
    return run.print_result(summary)


def resume_run(
    run_dir: Path, options: RunOptions, runner: Callable[[bool], DeskRunner], console: Console, faults: ErrorReporter
) -> int:
    """Resume the run in this folder from its last checkpoint; return the exit status, as `run_plan` does.

    `runner` returns the desk to run: the argument is whether the run was started in one process. Raises
    RunFolderError if the folder has no run to resume, and the errors of the desk. The folder is kept in any case.
    """
    folder, resume = RunFolder.take_up(run_dir)
    faults.log = folder.log
    plan = Plan.model_validate(resume.plan)
    folder.trace_file = options.trace
    refuse_unasked_live(folder.resume.path, plan, asked=options.live)
    from desk.wiring.resume_inputs import require_same  # noqa: PLC0415 - as in `run_plan`

    resume, changes = require_same(plan, resume, accept=options.accept_changes)
    plan = _with_traces(plan, options.trace)
    folder.remarks += changes
    folder.remarks += volume_warnings(plan, load_classes(folder.resume.path, plan))
    from desk.venues.api_keys import api_keys  # noqa: PLC0415 - as in `run_plan`

    if resume.in_process or not options.joins_cluster:
        api_keys(plan)
    be_orderly()
    run = _Run(plan, folder, resume, options, console, _relative(folder.dir))
    try:
        summary = run.shown(runner(resume.in_process))
    except Exception as fault:
        run.print_failure(fault)
        raise
    return run.print_result(summary)


@dataclass(frozen=True)
class _Run:
    """A run and the console that shows it."""

    plan: Plan
    folder: RunFolder
    resume: ResumeState | None
    options: RunOptions
    console: Console
    path: Path
    """Of the folder, as the last line shows it."""

    def shown(self, runner: DeskRunner) -> Summary:
        """Run the plan, and show the desk meanwhile."""
        title = f"{self.plan.session.name} · {self.plan.session.mode}"
        screen = screen_for(self.console, title, time.time_ns, quiet=self.options.quiet)
        with stop_signals() as signals, screen:
            signals.on_sudden_end(partial(self.console.show_cursor, show=True))
            signals.require_none()
            return runner(self.plan, self.folder, self.resume, screen.show)

    def print_result(self, summary: Summary) -> int:
        """Print figures and verdict; return the exit status."""
        if not self.options.quiet:
            print_figures(self.console, summary)
        if not summary.had_feed:
            for problem in summary.problems:
                sys.stderr.write(f"error: {first_line(problem)}\n")
        self._print_last_line(verdict(summary, self.path))
        return summary.exit_status

    def print_failure(self, fault: Exception) -> None:
        """Print the last line of a run that ended with an error instead of a summary."""
        word = "stopped" if isinstance(fault, StoppedEarly) else "failed · not balanced"
        self._print_last_line(f"{word} · {self.path}")

    def _print_last_line(self, text: str) -> None:
        self.console.print(line(text), soft_wrap=True)


def joins_cluster(address: str | None) -> bool:
    """Whether a desk with this `--address` joins a cluster, by the rule of `actors.ray_cluster.cluster.Cluster`."""
    return (address or os.environ.get("RAY_ADDRESS", "")) not in {"", "local"}


def refuse_unasked_live(path: Path, plan: Plan, *, asked: bool) -> None:
    """Raises PlanError for a plan that trades live without `--live` on the command line (`asked`)."""
    if plan.session.mode == "live" and not asked:
        raise PlanError(
            f"{path}, [session] mode",
            '`"live"` without --live on the command line',
            "both, because the plan sends real orders",
            'Add --live, or set mode = "paper".',
        )


def in_process(plan: Plan, folder: RunFolder, resume: ResumeState | None, show: Show) -> Summary:
    """Run the desk in this process, without Ray."""
    from desk.inprocess.in_process_desk import run_in_process  # noqa: PLC0415 - `desk --help` starts quickly

    return run_in_process(plan, folder, show=show, resume=resume, owns_process=True)


def on_ray(address: str | None) -> DeskRunner:
    """Return a function that runs the desk as Ray actors, in the cluster at `address` or in a Ray of its own."""

    def run(plan: Plan, folder: RunFolder, resume: ResumeState | None, show: Show) -> Summary:
        from actors.driver.supervisor import run_desk  # noqa: PLC0415 - Ray takes a second to import

        return run_desk(plan, folder, address=address, show=show, resume=resume)

    return run


def desk_at(address: str | None) -> Callable[[bool], DeskRunner]:
    """Return a function from "in this process?" to the function that runs the desk; `address` is the Ray cluster."""

    def runner(alone: bool) -> DeskRunner:
        return in_process if alone else on_ray(address)

    return runner


def _with_traces(plan: Plan, trace: Path | None) -> Plan:
    """The plan with a part of its batches traced, if traces are to be written to a file."""
    if trace is None or plan.telemetry.trace_sample:
        return plan
    telemetry = plan.telemetry.model_copy(update={"trace_sample": FILE_SAMPLE})
    return plan.model_copy(update={"telemetry": telemetry})


def _relative(folder: Path) -> Path:
    """The path from the current directory, if the folder lies below it."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
