from collections.abc import Callable
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from console.commands.run import DeskRunner, RunOptions, joins_cluster, refuse_unasked_live, run_plan
from console.error_messages import ErrorReporter
from desk.config import Plan, load_plan
from desk.model.errors import CredentialsError, PlanError, RunFailed, RunFolderError
from desk.report.desk_view import DeskView
from desk.report.summary import ClassCounts, Summary, TicksSection
from desk.runs import RunFolder
from desk.runs.resume_file import ResumeState

PLAN = '[session]\nname = "opening-range"\n'


@pytest.fixture
def plan_path(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def runner_of(summary: Summary, view: DeskView) -> DeskRunner:
    def run(plan: Plan, folder: RunFolder, resume: ResumeState | None, show: Callable[[DeskView], None]) -> Summary:
        show(view)
        folder.write_summary(summary.builtins())
        return msgspec.structs.replace(summary, plan=plan.session.name)

    return run


def run(path: Path, runner: DeskRunner, *, quiet: bool = False) -> tuple[int, list[str]]:
    console = Console(file=StringIO(), width=160)
    options = RunOptions(run_dir=path.parent / "run", quiet=quiet)
    status = run_plan(path, options, runner, console, ErrorReporter())
    assert isinstance(console.file, StringIO)
    return status, console.file.getvalue().splitlines()


def test_a_good_run_exits_0_and_ends_with_its_verdict(
    plan_path: Path, finished_run: Summary, busy_desk: DeskView
) -> None:
    status, lines = run(plan_path, runner_of(finished_run, busy_desk))

    assert status == 0
    assert lines[0].startswith("running  37%")
    assert any("221,347,000" in line for line in lines)
    assert lines[-1] == f"ok · balanced · {plan_path.parent / 'run'}"


def test_a_quiet_run_prints_its_last_line_only(plan_path: Path, finished_run: Summary, busy_desk: DeskView) -> None:
    status, lines = run(plan_path, runner_of(finished_run, busy_desk), quiet=True)

    assert status == 0
    assert lines == [f"ok · balanced · {plan_path.parent / 'run'}"]


def test_a_complete_run_with_a_problem_exits_0_and_says_so(
    plan_path: Path, finished_run: Summary, busy_desk: DeskView
) -> None:
    summary = msgspec.structs.replace(finished_run, problems=["range was stopped for BAC\nTraceback"]).judged()

    status, lines = run(plan_path, runner_of(summary, busy_desk))

    assert status == 0
    assert "! range was stopped for BAC" in lines
    assert lines[-1].startswith("complete with 1 problem · balanced")


def test_an_unbalanced_run_and_a_failed_one_exit_1(
    plan_path: Path, finished_run: Summary, busy_desk: DeskView, tmp_path: Path
) -> None:
    unbalanced = msgspec.structs.replace(finished_run, ticks=TicksSection(trades=ClassCounts(received=1))).judged()
    other = tmp_path / "other" / "plan.toml"
    other.parent.mkdir()
    other.write_text(PLAN)

    assert run(plan_path, runner_of(unbalanced, busy_desk), quiet=True)[0] == 1
    assert run(other, runner_of(finished_run.judged(failed=True), busy_desk), quiet=True)[0] == 1


def test_a_run_that_cannot_continue_still_ends_with_a_line(plan_path: Path) -> None:
    def runner(plan: Plan, folder: RunFolder, resume: ResumeState | None, show: Callable[[DeskView], None]) -> Summary:
        raise RunFailed("consumer 0", "its process is gone")

    console, faults = Console(file=StringIO(), width=160), ErrorReporter()
    options = RunOptions(run_dir=plan_path.parent / "run", quiet=True)

    with pytest.raises(RunFailed):
        run_plan(plan_path, options, runner, console, faults)

    assert isinstance(console.file, StringIO)
    assert console.file.getvalue() == f"failed · not balanced · {plan_path.parent / 'run'}\n"
    assert faults.log == plan_path.parent / "run" / "desk.log"


def test_without_a_folder_of_its_own_a_run_makes_one_where_the_environment_says(
    plan_path: Path, finished_run: Summary, busy_desk: DeskView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYDESK_RUNS_DIR", str(plan_path.parent / "lasting"))
    console = Console(file=StringIO(), width=160)

    run_plan(plan_path, RunOptions(quiet=True), runner_of(finished_run, busy_desk), console, ErrorReporter())

    (folder,) = (plan_path.parent / "lasting").iterdir()
    assert folder.name.startswith("opening-range-")
    assert (folder / "summary.json").exists()


def test_a_bad_plan_makes_no_folder(plan_path: Path, finished_run: Summary, busy_desk: DeskView) -> None:
    plan_path.write_text(PLAN + '[[strategies]]\nuse = "no.such.module:Class"\n')

    with pytest.raises(Exception, match=r"plan\.toml, \[\[strategies\]\] #1"):
        run(plan_path, runner_of(finished_run, busy_desk))

    assert not (plan_path.parent / "run").exists()


def test_a_folder_that_holds_a_run_is_not_written_over(
    plan_path: Path, finished_run: Summary, busy_desk: DeskView
) -> None:
    run(plan_path, runner_of(finished_run, busy_desk), quiet=True)

    with pytest.raises(RunFolderError):
        run(plan_path, runner_of(finished_run, busy_desk), quiet=True)


def test_a_live_plan_needs_live_on_the_command_line(plan_path: Path) -> None:
    plan = load_plan(plan_path)
    live = plan.model_copy(update={"session": plan.session.model_copy(update={"mode": "live"})})

    with pytest.raises(PlanError, match="--live"):
        refuse_unasked_live(plan_path, live, asked=False)

    refuse_unasked_live(plan_path, live, asked=True)
    refuse_unasked_live(plan_path, plan, asked=False)


def test_a_run_that_bad_input_keeps_from_beginning_leaves_no_folder(plan_path: Path) -> None:
    def runner(plan: Plan, folder: RunFolder, resume: ResumeState | None, show: Callable[[DeskView], None]) -> Summary:
        raise PlanError("[feed] path", "missing")

    console = Console(file=StringIO())

    with pytest.raises(PlanError):
        run_plan(plan_path, RunOptions(run_dir=plan_path.parent / "run"), runner, console, ErrorReporter())

    assert not (plan_path.parent / "run").exists()
    assert isinstance(console.file, StringIO)
    assert not console.file.getvalue()


LIVE = '[session]\nname = "live"\nmode = "paper"\n[feed]\nkind = "alpaca"\nsymbols = ["SPY"]\n'


def test_keys_that_are_missing_are_reported_before_anything_starts(
    plan_path: Path, finished_run: Summary, busy_desk: DeskView, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_path.write_text(LIVE)
    for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY", "RAYDESK_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(CredentialsError, match="no ALPACA_API_KEY and no ALPACA_SECRET_KEY") as raised:
        run(plan_path, runner_of(finished_run, busy_desk))

    assert raised.value.exit_status == 3
    assert not (plan_path.parent / "run").exists()


def test_a_desk_that_joins_a_cluster_leaves_the_keys_to_the_producers_environment(
    plan_path: Path, finished_run: Summary, busy_desk: DeskView, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_path.write_text(LIVE)
    for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY", "RAYDESK_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)
    options = RunOptions(run_dir=plan_path.parent / "run", quiet=True, joins_cluster=True)

    assert (
        run_plan(plan_path, options, runner_of(finished_run, busy_desk), Console(file=StringIO()), ErrorReporter()) == 0
    )


@pytest.mark.parametrize(
    ("address", "variable", "joins"),
    [(None, "", False), ("local", "", False), ("auto", "", True), (None, "10.0.0.1:6379", True), ("", "local", False)],
)
def test_whether_a_cluster_is_joined_is_known_from_flag_and_environment(
    address: str | None, variable: str, joins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", variable)

    assert joins_cluster(address) == joins
