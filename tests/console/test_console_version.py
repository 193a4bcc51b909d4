import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import pytest
from typer.testing import CliRunner

from console import version as versions
from console.cli import app
from console.version import version_lines

HEAVY = ("ray", "rich", "numpy", "pyarrow", "pydantic", "msgspec", "desk.config")


def test_the_releases_are_those_of_the_installed_packages() -> None:
    shown = CliRunner().invoke(app, ["--version"])

    assert shown.exit_code == 0
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["raydesk", "Ray", "codec", "Python"]
    for name in ("raydesk", "ray", "msgspec"):
        assert f" {version(name)}\n" in shown.stdout


def test_nothing_heavy_is_imported_for_them() -> None:
    code = f"""
import sys
from console.entry import main
sys.argv = ["desk", "--version"]
try:
    main()
except SystemExit:
    print([name for name in {HEAVY} if name in sys.modules])
"""

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout.splitlines()[-1] == "[]"


def test_a_desk_that_runs_from_plain_files_has_no_release(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(versions, "version", absent)

    assert version_lines().startswith("raydesk  not installed\n")
