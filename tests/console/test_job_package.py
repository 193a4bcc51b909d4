"""The package that `desk submit` sends contains the allowed files and no secret of their folders."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from job_server import JobLife, JobServer
from planted_secrets import PLANTED, copy_project_with_secrets, plant_secrets
from typer.testing import CliRunner, Result

from actors.jobs.job_server import ADDRESS_VARIABLE
from console.cli import app

# Raised within Ray 2.60, which hands to aiohttp what that does without one day.
pytestmark = pytest.mark.filterwarnings("ignore:ssl=None is deprecated:DeprecationWarning")

KEY: Final = "PK-my-own-key-0123"
PLAN: Final = """
[session]
name = "small-day"
[feed]
kind = "synthetic"
synthetic = { symbols = 20, minutes = 1 }
symbols = ["*"]
"""
USING: Final = '[[strategies]]\nuse = "my_strategies:Mine"\n'
STRATEGY: Final = """
from desk import strategy
IMPORTS

class Mine(strategy.Strategy):
    def on_second(self, ctx):
        LATER
"""


@pytest.fixture
def serve() -> Iterator[Callable[[], JobServer]]:
    servers: list[JobServer] = []

    def start() -> JobServer:
        servers.append(JobServer(JobLife()).__enter__())
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder outside the project with a plan and a strategy, where the command is run."""
    made = tmp_path / "mine"
    made.mkdir()
    (made / "plan.toml").write_text(PLAN + USING)
    strategy(made)
    monkeypatch.chdir(made)
    monkeypatch.syspath_prepend(made)
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.setenv("ALPACA_API_KEY", KEY)
    monkeypatch.setenv(ADDRESS_VARIABLE, "http://127.0.0.1:1")  # put back at the end, whatever the command makes of it
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")
    monkeypatch.delenv("RAYDESK_SECRETS_DIR", raising=False)
    yield made
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def strategy(folder: Path, imports: str = "", later: str = "pass") -> None:
    (folder / "my_strategies.py").write_text(STRATEGY.replace("IMPORTS", imports).replace("LATER", later))


def submit(folder: Path, server: JobServer | None, *args: str) -> Result:
    """Submit the folder's plan: without a server nothing answers, which comes after all checks."""
    address = "http://127.0.0.1:1" if server is None else server.address
    return CliRunner().invoke(app, ["submit", "plan.toml", "--address", address, *args])


def test_of_this_project_the_desk_the_strategies_and_the_plan_go_and_no_secret(
    serve: Callable[[], JobServer], tmp_path: Path
) -> None:
    project = tmp_path / "project"
    code = copy_project_with_secrets(project)
    (project / ".gitignore").write_text("!*\n")
    server = serve()

    code_of_the_project = "import sys; sys.path.insert(0, '.'); from console.cli import main; main()"
    command = [sys.executable, "-c", code_of_the_project, "submit", "configs/demo.toml", "--address", server.address]
    sent = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120, check=False)

    assert sent.returncode == 0, sent.stderr
    assert set(server.files) == code | {"configs/demo.toml"}
    assert [name for name, content in server.contents.items() if PLANTED.encode() in content] == []
    assert "  configs/" in sent.stdout
    assert "stay here (" in sent.stdout


def test_of_another_folder_the_plan_goes_its_classes_and_what_they_import(
    serve: Callable[[], JobServer], folder: Path
) -> None:
    strategy(folder, "import helper\nfrom signals import fast", "import later")
    for name, text in {
        "helper.py": "import numpy, json",
        "later.py": "",
        "unused.py": "",
        "data.csv": "",
        "signals/__init__.py": "",
        "signals/fast.py": "from . import shared\nfrom .deep.er import x",
        "signals/shared.py": "",
        "signals/deep/er.py": "x = 1",
        "signals/spare.py": "",
        "signals/model.json": "",
        "other/__init__.py": "",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    plant_secrets(folder)
    plant_secrets(folder / "signals")
    server = serve()

    sent = submit(folder, server)

    assert sent.exit_code == 0, sent.stderr
    assert server.files == [
        "helper.py",
        "later.py",
        "my_strategies.py",
        "plan.toml",
        "signals/__init__.py",
        "signals/deep/er.py",
        "signals/fast.py",
        "signals/shared.py",
        "signals/spare.py",
    ]
    assert re.search(r"^  signals/ +5 files", sent.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("imports", "told"),
    [("import hypothesis", "! the plan's classes need hypothesis, which does not come with raydesk"), ("", "")],
)
def test_a_package_that_the_cluster_may_lack_is_named(
    serve: Callable[[], JobServer], folder: Path, imports: str, told: str
) -> None:
    strategy(folder, imports + "\nimport numpy, pyarrow, requests, ray")

    sent = submit(folder, serve())

    assert sent.exit_code == 0, sent.stderr
    assert told in sent.stdout
    assert sent.stdout.count("which does not come with raydesk") == bool(told)


@pytest.mark.parametrize(
    ("place", "imports"),
    [
        ("shared", "import common"),
        ("shared", "def at_need():\n    import common"),
        ("shared", "def at_need():\n    import importlib\n    importlib.import_module('common')"),
        ("shared", "import importlib\nimportlib.import_module('com' + 'mon')"),
        ("mine/src", "from common import nothing"),
    ],
)
def test_an_import_that_would_stay_behind_is_refused(
    folder: Path, place: str, imports: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = folder.parent / place
    beside.mkdir()
    (beside / "common.py").write_text("nothing = 0")
    monkeypatch.syspath_prepend(beside)
    strategy(folder, imports)

    refused = submit(folder, None)

    assert refused.exit_code == 2
    assert f"its classes import `common` from {beside / 'common.py'}, which stays here" in refused.stderr


def test_a_search_path_that_the_code_sets_itself_goes_along(serve: Callable[[], JobServer], folder: Path) -> None:
    (folder / "lib").mkdir()
    (folder / "lib" / "common.py").write_text("import also_common")
    (folder / "lib" / "also_common.py").write_text("")
    strategy(folder, "import sys\nsys.path.insert(0, 'lib')\nimport common\nsys.path.remove('lib')")
    server = serve()

    sent = submit(folder, server)

    assert sent.exit_code == 0, sent.stderr
    assert server.files == ["lib/also_common.py", "lib/common.py", "my_strategies.py", "plan.toml"]


def test_included_files_and_folders_go_along(serve: Callable[[], JobServer], folder: Path) -> None:
    for name in ("data/a.csv", "data/deep/b.csv", "data/.gitignore", "data/__pycache__/c.pyc", "model.json", "api.key"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("*")
    server = serve()

    sent = submit(folder, server, "--include", "data", "--include", "model.json", "--include", "api.key")

    assert sent.exit_code == 0, sent.stderr
    assert server.files == [
        "api.key",
        "data/a.csv",
        "data/deep/b.csv",
        "model.json",
        "my_strategies.py",
        "plan.toml",
    ]
    assert "  data/" in sent.stdout


def test_a_strategy_that_holds_a_key_or_imports_a_file_of_secrets_is_refused(folder: Path) -> None:
    strategy(folder, f"KEY = '{KEY}'")
    holding = submit(folder, None)
    (folder / "my_secrets.py").write_text("")
    strategy(folder, "import my_secrets")
    del sys.modules["my_strategies"]
    importing = submit(folder, None)

    assert (holding.exit_code, importing.exit_code) == (2, 2)
    assert "my_strategies.py: it holds the value of ALPACA_API_KEY" in holding.stderr
    assert "my_secrets.py: it is named like a secret" in importing.stderr
    assert KEY not in holding.stderr


def test_a_plan_may_have_any_name_and_holds_no_key(serve: Callable[[], JobServer], folder: Path) -> None:
    (folder / "plan.toml").rename(folder / "token-of-luck.toml")
    server = serve()
    sent = CliRunner().invoke(app, ["submit", "token-of-luck.toml", "--address", server.address])
    (folder / "plan.toml").write_text(f"# {KEY}\n{PLAN}")
    refused = submit(folder, server)

    assert sent.exit_code == 0, sent.stderr
    assert server.files == ["my_strategies.py", "token-of-luck.toml"]
    assert refused.exit_code == 2
    assert "plan.toml: it holds the value of ALPACA_API_KEY" in refused.stderr


def test_a_name_that_is_too_long_for_a_file_is_refused(folder: Path) -> None:
    strategy(folder)

    refused = submit(folder, None, "--include", "x" * 5000)

    assert refused.exit_code == 2
    assert "no such file or folder" in refused.output
