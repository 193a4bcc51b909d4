"""`desk run`: from a plan's file to a run, shown while it goes, and its verdict."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from console.faults import Faults
from console.figures import print_figures, verdict
from console.loaded import load_all
from console.screen import screen_for
from console.terminal import line
from desk.config import Plan, load_plan, load_settings, override, plan_notes
from desk.model.errors import BadInput, CredentialsError, PlanError, StoppedEarly
from desk.model.plain_text import first_line
from desk.report.live import DeskView
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.runs.resume import Resume
from desk.signals import be_orderly, stop_signals

Show = Callable[[DeskView], None]
House = Callable[[Plan, RunFolder, Resume | None, Show], Summary]
"""Runs a plan to its end, or goes on with it, showing itself now and then; leaves the run's files in the folder."""


@dataclass(frozen=True)
class RunOptions:
    """What the command line says beside the plan's path and the house."""

    run_dir: Path | None = None
    consumers: int | None = None
    live: bool = False
    quiet: bool = False
    date: str | None = None
    accept_changes: bool = False
    joins_cluster: bool = False
    """The producer looks for the keys in its own environment: this process may have none."""


def run_plan(path: Path, options: RunOptions, house: House, console: Console, faults: Faults) -> int:
    """Run the plan and return the exit status: 0 when it came to its end with its feed, and balances, else 1.

    Raises DeskError for a bad plan, before there is a folder, and what the house raises; then too the last
    line is printed. Of a run that bad input kept from beginning no folder stays.
    """
    settings = load_settings()
    written = load_plan(path)
    plan = override(written, settings, options.consumers, options.date)
    refuse_unasked_live(path, plan, asked=options.live)
    load_all(path, plan)
    from desk.venues.api_keys import api_keys  # noqa: PLC0415 - a plan with a fault is told quickly
    from desk.wiring import trading  # noqa: PLC0415 - a plan with a fault is told quickly

    if not options.joins_cluster:
        api_keys(plan)

    be_orderly()
    folder = RunFolder.create(settings.runs_dir, options.run_dir, plan.session.name, time.time_ns())
    folder.notes = plan_notes(written, plan)
    folder.plan_file = path.absolute()
    faults.log = folder.log
    shown = _near(folder.dir)
    try:
        trading.require_ledger(plan, folder.dir)
        summary = _shown(plan, folder, None, options, house, console)
    except Exception as fault:
        if isinstance(fault, BadInput | CredentialsError | StoppedEarly):
            folder.discard()
        if folder.dir.exists():
            _last_line(console, _broken_off(fault, shown))
        raise
    return _told(summary, shown, options, console)


def resume_run(
    run_dir: Path, options: RunOptions, house: Callable[[bool], House], console: Console, faults: Faults
) -> int:
    """Go on with a run that was broken off, on what it left in its folder; the exit status, as of `run_plan`.

    `house` makes the house, in this process or not, as the run was begun. Raises RunFolderError where there is nothing
    to go on with, and what the house raises; nothing is taken away then.
    """
    folder, resume = RunFolder.take_up(run_dir)
    faults.log = folder.log
    plan = Plan.model_validate(resume.plan)
    refuse_unasked_live(folder.resume.path, plan, asked=options.live)
    from desk.wiring.resuming import require_same  # noqa: PLC0415 - as in `run_plan`

    resume, changes = require_same(plan, resume, accept=options.accept_changes)
    folder.remarks += changes
    load_all(folder.resume.path, plan)
    from desk.venues.api_keys import api_keys  # noqa: PLC0415 - as above

    if resume.in_process or not options.joins_cluster:
        api_keys(plan)
    shown = _near(folder.dir)
    be_orderly()
    try:
        summary = _shown(plan, folder, resume, options, house(resume.in_process), console)
    except Exception as fault:
        _last_line(console, _broken_off(fault, shown))
        raise
    return _told(summary, shown, options, console)


def joins_cluster(address: str | None) -> bool:
    """Whether a desk with this `--address` joins a cluster, as `actors.cluster.Cluster` decides it."""
    return (address or os.environ.get("RAY_ADDRESS", "")) not in {"", "local"}


def refuse_unasked_live(path: Path, plan: Plan, *, asked: bool) -> None:
    """A plan that trades live needs --live beside it. Raises PlanError."""
    if plan.session.mode == "live" and not asked:
        raise PlanError(
            f"{path}, [session] mode",
            '`"live"` without --live on the command line',
            "both, because real orders would be sent",
            'Add --live, or set mode = "paper".',
        )


def in_process(plan: Plan, folder: RunFolder, resume: Resume | None, show: Show) -> Summary:
    """The house in this process, without Ray."""
    from desk.house import run_in_process  # noqa: PLC0415 - `desk --help` starts quickly

    return run_in_process(plan, folder, show=show, resume=resume, owns_process=True)


def on_ray(address: str | None) -> House:
    """The house as Ray actors, in the cluster at `address` or one of its own."""

    def run(plan: Plan, folder: RunFolder, resume: Resume | None, show: Show) -> Summary:
        from actors.supervisor import run_desk  # noqa: PLC0415 - Ray takes a second to import

        return run_desk(plan, folder, address=address, show=show, resume=resume)

    return run


def house_at(address: str | None) -> Callable[[bool], House]:
    """Whether it is the house in this process, and else where."""

    def house(alone: bool) -> House:
        return in_process if alone else on_ray(address)

    return house


def _shown(
    plan: Plan, folder: RunFolder, resume: Resume | None, options: RunOptions, house: House, console: Console
) -> Summary:
    title = f"{plan.session.name} · {plan.session.mode}"
    with stop_signals() as signals, screen_for(console, title, time.time_ns, quiet=options.quiet) as screen:
        signals.on_sudden_end(partial(console.show_cursor, show=True))
        signals.require_none()
        return house(plan, folder, resume, screen.show)


def _told(summary: Summary, shown: Path, options: RunOptions, console: Console) -> int:
    if not options.quiet:
        print_figures(console, summary)
    if not summary.had_feed:
        for problem in summary.problems:
            sys.stderr.write(f"error: {first_line(problem)}\n")
    _last_line(console, verdict(summary, shown))
    return 0 if summary.complete else 1


def _broken_off(fault: Exception, shown: Path) -> str:
    """The last line of a run that has no summary to be judged by, or none worth it."""
    word = "stopped" if isinstance(fault, StoppedEarly) else "failed · not balanced"
    return f"{word} · {shown}"


def _near(folder: Path) -> Path:
    """The folder as one would type it here."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _last_line(console: Console, text: str) -> None:
    console.print(line(text), soft_wrap=True)
