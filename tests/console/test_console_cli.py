import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from day_tapes import a_tape, row
from log_lines import log_events
from typer.testing import CliRunner, Result

from console.cli import app
from desk.report.summary import Summary

PLAN = """
[session]
name = "small-day"
start = "09:30"
[feed]
kind = "synthetic"
symbols = ["*"]
[feed.synthetic]
symbols = 20
events_per_s = 50
minutes = 1
[[strategies]]
name = "quiet"
use = "quiet_strategy:Quiet"
params = { minutes = 15 }
"""
STRATEGY = """
from desk.strategy import Params, Strategy


class QuietParams(Params):
    minutes: int = 5
    risk_usd: float = 50.0


class Quiet(Strategy):
    Params = QuietParams

    def on_second(self, ctx):
        pass
"""


# Raised within exchange_calendars, which still reads a pandas property that is going away.
calendar_library = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")


def desk(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def plan_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "quiet_strategy.py").write_text(STRATEGY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "quiet_strategy", raising=False)
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


@calendar_library
def test_check_prints_what_would_run(plan_path: Path) -> None:
    result = desk("check", plan_path)

    assert result.exit_code == 0, result.stderr
    for told in (
        "small-day", "replay", "2026-01-05 09:30:00", "synthetic", "trades and quotes", "all, of 20 in the market",
        "consumers", "quiet = quiet_strategy:Quiet", "minutes = 15, risk_usd = 50.0", "order at most 10,000.00",
        "runs/small-day", "ledger.db", f"ok · {plan_path}",
    ):  # fmt: skip
        assert told in result.stdout


@calendar_library
def test_check_prints_the_bars_that_a_strategy_gets_and_needs(plan_path: Path) -> None:
    source = plan_path.parent / "quiet_strategy.py"
    daily = STRATEGY.replace("class Quiet(Strategy):", 'class Quiet(Strategy):\n    history = {"1d": 20, "5m": 5}\n')
    source.write_text(daily.replace("def on_second(self, ctx)", "def on_bar(self, ctx, bar)"))
    plan_path.write_text(plan_path.read_text().replace('use = "quiet', 'bars = ["1m", "5m"]\nuse = "quiet'))

    checked = desk("check", plan_path)

    assert "bars of 1m, 5m, with history of 5 x 5m, 20 x 1d" in " ".join(checked.stdout.split())


def test_check_of_an_unknown_timeframe_exits_2_with_place_and_remedy(plan_path: Path) -> None:
    plan_path.write_text(plan_path.read_text().replace('use = "quiet', 'bars = ["2m"]\nuse = "quiet'))

    refused = desk("check", plan_path)

    assert refused.exit_code == 2
    assert "bars" in refused.output
    assert '"1m", "5m", "15m", "1h"' in " ".join(refused.output.split())


def test_check_of_a_bad_plan_exits_2_with_place_and_remedy(plan_path: Path) -> None:
    plan_path.write_text(PLAN.replace("kind =", "knid ="))

    result = desk("check", plan_path)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"error: {plan_path}, [feed] knid" in result.stderr
    assert "Did you mean `kind`?" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "change", [("quiet_strategy:Quiet", "quiet_strategy:Loud"), ("minutes = 15 }", "minuets = 15 }")]
)
def test_check_loads_every_strategy(plan_path: Path, change: tuple[str, str]) -> None:
    plan_path.write_text(PLAN.replace(*change))

    result = desk("check", plan_path)

    assert result.exit_code == 2
    assert f"error: {plan_path}, [[strategies]] #1" in result.stderr


@pytest.mark.parametrize(
    "args", [["run"], ["run", "p.toml", "--consumers", "many"], ["fly"], ["run", "p", "--in-process", "--address", "x"]]
)
def test_wrong_arguments_exit_2(args: list[str]) -> None:
    assert desk(*args).exit_code == 2


def test_a_missing_plan_exits_2_and_names_it(tmp_path: Path) -> None:
    result = desk("run", tmp_path / "nowhere.toml")

    assert result.exit_code == 2
    assert "nowhere.toml" in result.stderr


def test_more_consumers_than_the_plan_allows_exits_2(plan_path: Path) -> None:
    result = desk("run", plan_path, "--consumers", 99, "--in-process", "--run-dir", plan_path.parent / "run")

    assert result.exit_code == 2
    assert "--consumers" in result.stderr
    assert not (plan_path.parent / "run").exists()


def test_report_prints_the_figures_of_a_finished_run(tmp_path: Path, finished_run: Summary) -> None:
    (tmp_path / "summary.json").write_text(json.dumps(finished_run.builtins()))

    result = desk("report", tmp_path)

    assert result.exit_code == 0
    assert "221,347,000" in result.stdout
    assert result.stdout.splitlines()[-1] == f"ok · balanced · {tmp_path}"


@pytest.mark.parametrize("content", [None, "{", '{"run_id": 7}'])
def test_report_of_no_finished_run_exits_2(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "summary.json").write_text(content)

    result = desk("report", tmp_path)

    assert result.exit_code == 2
    assert "summary.json" in result.stderr
    assert "Traceback" not in result.stderr


def test_tape_info_tells_what_a_tape_holds(morning: Path) -> None:
    result = desk("tape", "info", morning)

    assert result.exit_code == 0, result.stderr
    for told in (f"{pq.read_metadata(morning).num_rows:,}", "SYN0005", "2013-10-07 09:28:00"):
        assert told in result.stdout


def test_tape_info_of_something_else_exits_2(tmp_path: Path) -> None:
    (tmp_path / "no.parquet").write_text("no tape")

    result = desk("tape", "info", tmp_path / "no.parquet")

    assert result.exit_code == 2
    assert "no.parquet" in result.stderr


@calendar_library
def test_a_run_in_process_leaves_its_folder_and_verdict(plan_path: Path) -> None:
    folder = plan_path.parent / "run"

    result = desk("run", plan_path, "--in-process", "--quiet", "--run-dir", folder)

    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"ok · balanced · {folder}\n"
    assert json.loads((folder / "summary.json").read_text())["ok"] is True


def test_help_imports_neither_ray_nor_the_desk() -> None:
    code = "import sys; import console.cli; print([m for m in ('ray', 'pyarrow', 'numpy') if m in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert loaded.stdout == "[]\n"


def test_the_current_directory_is_searched_for_strategies(plan_path: Path) -> None:
    code = "import sys; from console.cli import main; sys.argv = ['desk', 'check', 'plan.toml']; main()"
    project = Path(__file__).parents[2]

    checked = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[0] = {str(project)!r}; {code}"],
        cwd=plan_path.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr
    assert "quiet_strategy:Quiet" in checked.stdout


TAPED = """
[session]
name = "taped"
[feed]
kind = "tape"
path = "days"
[consumers]
count = 1
min = 1
[[strategies]]
use = "quiet_strategy:Quiet"
"""


@pytest.fixture
def taped(plan_path: Path) -> Path:
    """A plan for a folder with two days of a tape."""
    (plan_path.parent / "days").mkdir()
    for day in ("2024-03-05", "2024-03-06"):
        a_tape(plan_path.parent / "days" / f"{day}.parquet", row(f"{day} 15:00"), row(f"{day} 15:01"))
    plan_path.write_text(TAPED)
    return plan_path


@pytest.mark.parametrize("command", [("check",), ("run", "--in-process")])
def test_a_tape_of_several_days_exits_2_and_names_them(taped: Path, command: tuple[str, ...]) -> None:
    options = ["--run-dir", taped.parent / "run"] if command[0] == "run" else []

    result = desk(*command, taped, *options)

    assert result.exit_code == 2
    assert "2024-03-05, 2024-03-06" in result.stderr
    assert "--date 2024-03-05" in result.stderr
    assert not (taped.parent / "run").exists()


def test_check_of_one_day_tells_what_is_skipped_and_which_keys_have_no_effect(taped: Path) -> None:
    result = desk("check", taped, "--date", "2024-03-06")

    assert result.exit_code == 0
    assert "2024-03-06" in result.stdout
    assert "2 rows outside this exchange day are skipped" in result.stdout
    assert "note: [consumers] min has no effect: the number of consumers is fixed" in result.stdout


def test_a_run_of_one_day_logs_the_notes_on_its_plan(taped: Path) -> None:
    folder = taped.parent / "run"

    result = desk("run", taped, "--in-process", "--date", "2024-03-06", "--run-dir", folder)

    summary = json.loads((folder / "summary.json").read_text())
    assert result.exit_code == 0
    assert (summary["ticks"]["trades"]["received"], summary["ticks"]["trades"]["skipped"]) == (2, 2)
    assert "INFO plan: [consumers] min has no effect" in log_events(folder / "desk.log")


@pytest.mark.parametrize("args", [("--date", "2024-03-07"), ("--date", "tomorrow")])
def test_a_day_that_is_not_there_exits_2(taped: Path, args: tuple[str, ...]) -> None:
    assert desk("run", taped, "--in-process", "--run-dir", taped.parent / "run", *args).exit_code == 2


def test_a_resumed_run_keeps_its_day(taped: Path) -> None:
    assert desk("run", "--resume", taped.parent, "--date", "2024-03-06").exit_code == 2


@pytest.mark.parametrize("command", ["check", "run", "submit"])
def test_keys_that_would_go_unencrypted_to_another_machine_are_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPACA_API_KEY", "PK-0123")
    monkeypatch.setenv("ALPACA_SECRET_KEY", "SK-0123")
    plan = tmp_path / "plan.toml"
    feed = '[feed]\nkind = "alpaca"\nurl = "ws://venue.invalid/v2/iex"\nsymbols = ["A"]\n'
    plan.write_text(f'[session]\nname = "p"\nmode = "paper"\n{feed}')

    refused = desk(command, plan)

    assert refused.exit_code == 2
    assert '[feed] url: `"ws://venue.invalid/v2/iex"`: key and secret would be sent unencrypted' in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["plan.toml"]


def test_only_a_resume_has_changes_to_accept(taped: Path) -> None:
    result = desk("run", taped, "--in-process", "--accept-changes")

    assert result.exit_code == 2
    assert "--accept-changes" in result.stderr
