"""`make matrix` runs the tests once on each supported Python of a machine, under any name."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
Matrix = Callable[..., tuple[int, list[str], list[str]]]

TESTER = """#!/bin/sh
echo "tests: $*"
case "$*" in *VENV=.venv-3.12.1*) exit 1;; esac
"""


def install(folder: Path, name: str, version: str | None) -> Path:
    """A program that says to be a Python of this version; without one it fails as a pyenv shim does."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    answer = (
        f'echo "{version} {" ".join(version.split(".")[:2])}"' if version else "echo 'command not found' >&2; exit 127"
    )
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def matrix(tmp_path: Path) -> Matrix:
    """Runs the script where these folders are all that PATH has beside the system's tools, and tests are pretended.

    Gives the exit status, the calls of make, and what else was printed.
    """
    make = tmp_path / "make"
    make.write_text(TESTER)
    make.chmod(0o755)

    def run(
        *folders: Path, names: str = "python3.11 python3.12 python3.13 python3"
    ) -> tuple[int, list[str], list[str]]:
        path = os.pathsep.join(map(str, folders))
        done = subprocess.run(
            ["/bin/bash", str(ROOT / ".ci" / "matrix")],
            env={"PATH": path + os.pathsep + str(tools), "MAKE": str(make), "MATRIX": names},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = (done.stdout + done.stderr).splitlines()
        return done.returncode, [line for line in lines if line.startswith("tests:")], lines

    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "dirname").symlink_to("/usr/bin/dirname")
    return run


def test_each_version_is_tested_once_in_an_environment_of_its_own(matrix: Matrix, tmp_path: Path) -> None:
    older = install(tmp_path / "a", "python3.11", "3.11.2")
    install(tmp_path / "a", "python3", "3.11.2")
    newer = install(tmp_path / "b", "python3.13", "3.13.0")
    another = install(tmp_path / "b", "python3", "3.11.7")

    status, calls, _ = matrix(tmp_path / "a", tmp_path / "b")

    assert status == 0
    assert calls == [
        f"tests: --no-print-directory VENV=.venv-{version} PYTHON={path} test"
        for version, path in (("3.11.2", older), ("3.13.0", newer), ("3.11.7", another))
    ]


def test_an_interpreter_that_does_not_run_is_skipped_with_a_word(matrix: Matrix, tmp_path: Path) -> None:
    shim = install(tmp_path / "shims", "python3.13", None)
    old = install(tmp_path / "shims", "python3", "3.10.13")
    install(tmp_path / "real", "python3.13", "3.13.0")

    status, calls, lines = matrix(tmp_path / "shims", tmp_path / "real")

    assert status == 0
    assert len(calls) == 1
    assert f"matrix: {shim} does not run: skipped" in lines
    assert f"matrix: {old} is Python 3.10.13, older than 3.11: skipped" in lines
    assert "matrix: python3.12 is not installed: skipped" in lines
    assert lines[-1] == "matrix: Python 3.13.0 passed"


def test_a_failure_on_one_python_does_not_keep_the_others_from_being_tested(matrix: Matrix, tmp_path: Path) -> None:
    install(tmp_path / "a", "python3.12", "3.12.1")
    install(tmp_path / "a", "python3.13", "3.13.0")

    status, calls, lines = matrix(tmp_path / "a")

    assert status == 1
    assert len(calls) == 2
    assert lines[-2:] == ["matrix: Python 3.12.1 failed", "matrix: Python 3.13.0 passed"]


def test_a_machine_without_a_python_for_it_is_named(matrix: Matrix, tmp_path: Path) -> None:
    status, calls, lines = matrix(tmp_path, names="python3.99")

    assert (status, calls) == (2, [])
    assert "no Python 3.11 or newer among: python3.99" in lines[-1]
    assert "make matrix MATRIX=" in lines[-1]
