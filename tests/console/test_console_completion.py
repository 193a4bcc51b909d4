import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from console.completion import finished_runs, plan_files, runs_to_resume

BASH = shutil.which("bash")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two plans, another TOML file, a finished run and one that can be resumed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAYDESK_RUNS_DIR", raising=False)
    for file, text in {
        "here.toml": '# a plan\n[session]\nname = "here"\n',
        "pyproject.toml": "[project]\ndescription = 'one session'\n",
        "plans/day.toml": "session.name = 'day'\n",
        "runs/done/summary.json": "{}",
        "runs/broken/resume.json": "{}",
        "elsewhere/done/summary.json": "{}",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", ["here.toml", "plans/day.toml"]),
        ("he", ["here.toml"]),
        ("pl", ["plans/day.toml"]),
        ("plans/", ["plans/day.toml"]),
        ("[", []),
    ],
)
def test_plans_are_offered_and_no_other_toml_files(typed: str, offered: list[str]) -> None:
    assert plan_files(typed) == offered


def test_an_absolute_path_is_completed(project: Path) -> None:
    assert plan_files(f"{project}/he") == [f"{project}/here.toml"]


def test_a_file_that_cannot_be_read_is_not_offered(project: Path) -> None:
    (project / "gone.toml").symlink_to("nowhere")

    assert plan_files("go") == []


def test_run_folders_are_offered_from_where_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    assert finished_runs("") == ["runs/done"]
    assert finished_runs("ru") == ["runs/done"]
    assert runs_to_resume("runs/b") == ["runs/broken"]

    monkeypatch.setenv("RAYDESK_RUNS_DIR", "elsewhere")

    assert finished_runs("") == ["elsewhere/done"]


@pytest.mark.skipif(BASH is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["desk", "ch"], ["check"]),
        (["desk", "check", "pl"], ["plans/day.toml"]),
        (["desk", "run", "--resume", ""], ["runs/broken"]),
        (["desk", "run", "--in"], ["--in-process"]),
    ],
)
def test_bash_completes_with_the_script_that_the_desk_prints(words: list[str], offered: list[str]) -> None:
    script = f"""
eval "$(desk --show-completion)"
COMP_WORDS=({" ".join(word or "''" for word in words)})
COMP_CWORD={len(words) - 1}
_desk_completion desk
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        [str(BASH), "--norc", "-c", script],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout.split(), done.stderr) == (offered, "")
