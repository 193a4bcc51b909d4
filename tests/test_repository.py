"""Rules for the whole repository: files, pins, and the promises of the README."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution, entry_points, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from desk.loading import load_strategy

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("actors", "console", "desk", "strategies")
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+]+)$")
HASHED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+]+) --hash=sha256:[0-9a-f]{64}$", re.MULTILINE)
MACHINE_PATH = re.compile(r"(?<![\w.~$-])/(?:root|work|Users)/|/home/(?!ray\b|ubuntu\b)\w")
REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|--(?:extra-)?index-url")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def tree(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def documents() -> list[Path]:
    return sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Every file that belongs to the project, by its path, as git sees it."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git work tree: there is nothing to ask which files belong to the project")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return {name: (ROOT / name).read_text(encoding="utf-8", errors="replace") for name in names}


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    found = [PIN.match(line) for line in read("constraints.txt").splitlines()]
    return {canonicalize_name(pin[1]): pin[2] for pin in found if pin}


def required(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """The names of everything that an installed distribution needs here, and what those need."""
    if (name, extras) in seen:
        return
    seen.add((name, extras))
    for text in distribution(name).requires or []:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in (extras or {""})):
            needed = canonicalize_name(requirement.name)
            yield needed
            yield from required(needed, frozenset(requirement.extras), seen)


def test_every_line_of_the_constraints_is_an_exact_pin() -> None:
    odd = [line for line in read("constraints.txt").splitlines() if not PIN.match(line)]

    assert odd == []


def test_everything_that_is_required_is_pinned_and_installed_as_pinned(pins: dict[str, str]) -> None:
    needed = set(required("raydesk", frozenset({"dev"}), set())) - {"raydesk", "pip", "setuptools"}

    assert {name: version(name) for name in needed} == {name: pins.get(name) for name in needed}


@pytest.mark.parametrize("name", ["cluster-requirements.txt", "cluster-head-requirements.txt"])
def test_what_the_nodes_install_is_pinned_by_hash(name: str) -> None:
    odd = [line for line in read(name).splitlines() if not HASHED.match(line)]

    assert odd == []


def test_the_nodes_install_all_that_is_required_as_it_is_pinned_here(pins: dict[str, str]) -> None:
    hashed = {canonicalize_name(found[1]): found[2] for found in HASHED.finditer(read("cluster-requirements.txt"))}
    needed = set(required("raydesk", frozenset(), set())) - {"raydesk", "pip"}

    assert needed <= set(hashed)
    assert {name: found for name, found in hashed.items() if found != pins.get(name, found)} == {}


def test_no_file_names_a_path_of_one_machine(texts: dict[str, str]) -> None:
    places = [name for name, text in texts.items() if MACHINE_PATH.search(text)]

    assert places == []


def test_no_file_names_a_package_registry(texts: dict[str, str]) -> None:
    places = [name for name, text in texts.items() if REGISTRY.search(text)]

    assert places == []


def test_no_module_is_hidden_by_an_ignore_pattern(texts: dict[str, str]) -> None:
    modules = {path.relative_to(ROOT).as_posix() for folder in (*PACKAGES, "tests") for path in tree(folder)}

    assert modules <= set(texts)


def test_no_large_file_is_kept(texts: dict[str, str]) -> None:
    large = {name: len(text) for name, text in texts.items() if len(text) > 200_000}

    assert large == {}


def test_every_public_module_says_what_it_is_for() -> None:
    modules = [path for package in PACKAGES for path in tree(package)]

    silent = [
        path.relative_to(ROOT).as_posix()
        for path in modules
        if (path.stem == "__init__" or not path.stem.startswith("_"))
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert modules
    assert silent == []


def test_every_make_target_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    code = re.compile(r"^make ([a-z]+)$|`make ([a-z]+)`", re.MULTILINE)

    named = {a or b for path in documents() for a, b in code.findall(path.read_text(encoding="utf-8"))}

    assert named >= {"demo", "test"}
    assert named <= targets


def test_every_desk_command_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"^desk ([a-z]+)|`desk ([a-z]+)", read("README.md"), re.MULTILINE))

    told = subprocess.run(
        [sys.executable, "-c", "from console.cli import main; main()", "--help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
    )

    assert {a or b for a, b in named} <= set(re.findall(r"\w+", told.stdout))


def test_every_flag_that_the_readme_names_exists() -> None:
    paragraph = next(text for text in read("README.md").split("\n\n") if text.startswith("`desk run` takes"))

    told = subprocess.run(
        [sys.executable, "-c", "from console.cli import main; main()", "run", "--help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
    )

    assert set(re.findall(r"--[a-z-]+", paragraph)) <= set(re.findall(r"--[a-z-]+", told.stdout))


def test_the_desk_command_resolves() -> None:
    (command,) = entry_points(group="console_scripts", name="desk")

    assert callable(command.load())


def test_the_strategy_in_the_readme_can_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", read("README.md"), re.DOTALL)
    (tmp_path / "readme_breakout.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    factory = load_strategy("readme_breakout:Breakout", {"shares": 50}, "README.md")

    assert type(factory.create()).__name__ == "Breakout"


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_document_points_at_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [document.parent / link for link in re.findall(r"\]\(([^)#:]+)\)", text)]
    paths = [
        ROOT / path for path in re.findall(r"`((?:configs|desk|docs|strategies|tests|actors|console)/[\w./-]*)`", text)
    ]

    assert [str(path) for path in (*links, *paths) if not path.exists()] == []


def test_make_test_leaves_out_no_test_on_ray() -> None:
    (folder,) = re.findall(r"pytest -m \"ray and not trial\" (\S+)$", read("Makefile"), re.MULTILINE)
    marked = [
        path for path in tree("tests") if "mark.ray" in path.read_text(encoding="utf-8") and path != Path(__file__)
    ]

    others = [path for path in marked if not path.is_relative_to(ROOT / folder)]
    assert len(others) < len(marked)
    assert [path for path in others if not path.is_relative_to(ROOT / "tests" / "trials")] == []


def test_ci_runs_what_the_readme_asks_of_a_change() -> None:
    script = ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert "make check\nmake test\n" in script.read_text(encoding="utf-8")
