"""Documents are true: their commands print the shown output, and the code that they name exists."""

import ast
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from desk.flow.routing_table import SLOTS
from desk.ledger.ledger_tables import metadata
from desk.report.summary import Summary
from desk.runs import RunFolder, bars_file, decisions_file

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(
    r"(?:Save this as `(?P<file>[\w.-]+)`:\n\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
PAGES = [
    "docs/tutorial/first-strategy.md",
    "docs/how-to/replay-recordings.md",
    "docs/how-to/test-a-strategy.md",
    "docs/how-to/write-a-scanner.md",
]
PACKAGES = ("actors", "benchmarks", "console", "desk", "strategies", "tests")
SOURCE = re.compile(rf"\b(?:{'|'.join(PACKAGES)})/[\w/]+\.py\b")
MODULE = re.compile(rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)`")
CALL = re.compile(r"`([\w/]+\.py):\s+(\w+(?:\.\w+)?)`")


class Command(NamedTuple):
    """A command of a page, and the output that the page shows; "…" stands for anything."""

    line: str
    output: str

    def pattern(self) -> str:
        """A regular expression for the whole output, whatever spaces end its lines."""
        lines = [re.escape(line.rstrip()).replace("…", ".*") for line in self.output.splitlines()]
        return "".join(r"(?:.*\n)*" if line == ".*" else line + "\n" for line in lines)


def commands(text: str) -> list[Command]:
    """The commands of a console block: lines that begin with "$ ", each before its output."""
    parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)
    assert not parts[0], "a console block begins with a command"
    return [Command(*pair) for pair in zip(parts[1::2], parts[2::2], strict=True)]


def printed(command: str, folder: Path) -> str:
    """What a command prints in a shell that has the desk and Python on its path."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RAYDESK_", "COLUMNS")) or name in {"RAYDESK_STATE_DIR", "RAYDESK_CACHE_DIR"}
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_followed_to_its_end(page: str, tmp_path: Path) -> None:
    done = 0
    for block in BLOCK.finditer((ROOT / page).read_text(encoding="utf-8")):
        if block["file"]:
            (tmp_path / block["file"]).write_text(block["text"], encoding="utf-8")
        if block["kind"] != "console":
            continue
        for command in commands(block["text"]):
            found = printed(command.line, tmp_path)

            assert re.fullmatch(command.pattern(), found), f"$ {command.line}\n{found}"
            done += 1

    assert done > 3


def test_the_orders_of_the_tutorial_are_filled() -> None:
    text = (ROOT / PAGES[0]).read_text(encoding="utf-8")
    (orders,) = [
        command
        for block in BLOCK.finditer(text)
        if block["kind"] == "console"
        for command in commands(block["text"])
        if shlex.split(command.line)[:2] == ["python", "orders.py"]
    ]

    assert orders.output.count(" filled\n") >= 1


def test_the_venue_of_the_how_to_is_the_one_that_the_tests_run() -> None:
    page = (ROOT / "docs/how-to/add-a-venue.md").read_text(encoding="utf-8")
    venue = (ROOT / "tests/helpers/ticker_venue.py").read_text(encoding="utf-8")
    shown = [block["text"] for block in BLOCK.finditer(page) if block["kind"] == "python"]

    assert "".join(shown[:3]).count("\nclass ") + "".join(shown[:3]).startswith("class ") == venue.count("\nclass ")
    assert [text for text in shown[:3] if text not in venue] == []


def keys(kind: type) -> set[str]:
    """The keys of a JSON object of this class, and of those within it."""
    schemas, components = msgspec.json.schema_components([kind])
    return {name for node in (*schemas, *components.values()) for name in node.get("properties", {})}


def test_the_run_folder_page_names_every_file_key_table_and_column(tmp_path: Path) -> None:
    page = (ROOT / "docs/reference/run-folder.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", page, flags=re.DOTALL)))
    folder = RunFolder(tmp_path)
    paths = {path for path in vars(folder).values() if isinstance(path, Path)} - {folder.dir} | {folder.resume.path}

    assert {f"{path.name}{'' if path.suffix else '/'}" for path in paths} <= named
    assert keys(Summary) <= named
    assert {*bars_file.SCHEMA.names, *decisions_file.SCHEMA.names} <= named
    assert {table.name for table in metadata.sorted_tables} <= named
    assert {column.name for table in metadata.sorted_tables for column in table.columns} <= named


def test_the_list_of_documents_names_every_page() -> None:
    listed = set(re.findall(r"\]\(([\w/.-]+\.md)\)", (ROOT / "docs/README.md").read_text(encoding="utf-8")))
    pages = {
        path.relative_to(ROOT / "docs").as_posix()
        for folder in ("tutorial", "how-to", "reference", "explanation")
        for path in (ROOT / "docs" / folder).glob("*.md")
    }

    assert pages <= listed


def test_the_list_of_decisions_has_the_title_of_each_record() -> None:
    folder = ROOT / "docs/decisions"
    listed = re.findall(
        r"^\| \[(\d{4})\]\((\d{4}-[\w-]+\.md)\) \| (.+?)(?: \(replaced by \d{4}\))? \|$",
        (folder / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    records = sorted(folder.glob("0*.md"))

    assert [(name, f"# {number}: {title}") for number, name, title in listed] == [
        (path.name, path.read_text(encoding="utf-8").splitlines()[0]) for path in records
    ]


def documents() -> list[Path]:
    """The pages that describe the code as it is; decisions and the changelog name what was."""
    return [ROOT / "README.md", *(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "decisions")]


def prose(path: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def definitions(path: Path) -> set[str]:
    """The names that a module defines at its top, and Class.name of what its classes define."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.ClassDef():
                found |= {node.name, *(f"{node.name}.{name}" for name in _defined(node.body))}
            case _:
                found |= set(_defined([node]))
    return found


def _defined(nodes: list[ast.stmt]) -> list[str]:
    names = []
    for node in nodes:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.append(node.name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.append(name)
            case ast.Assign():
                names += [target.id for target in node.targets if isinstance(target, ast.Name)]
            case ast.ImportFrom():
                names += [alias.asname or alias.name for alias in node.names]
    return names


def is_defined(dotted: str) -> bool:
    """Whether a dotted name is a package, a module, or what one of them defines."""
    parts = dotted.split(".")
    for size in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:size])
        module = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        if module.exists():
            return size == len(parts) or ".".join(parts[size:]) in definitions(module)
    return False


@pytest.mark.parametrize("page", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_source_file_and_module_that_a_page_names_exists(page: Path) -> None:
    text = prose(page)

    assert {name for name in SOURCE.findall(text) if not (ROOT / name).is_file()} == set()
    assert {name for name in MODULE.findall(text) if name != "desk.log" and not is_defined(name)} == set()


def test_every_call_of_the_walks_exists() -> None:
    text = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
    walks = CALL.findall(text[text.index("# Three walks") :])

    assert len(walks) > 10
    assert [f"{file}: {name}" for file, name in walks if name not in definitions(ROOT / file)] == []


def test_the_numbers_that_pages_name_are_those_of_the_code() -> None:
    text = "\n".join(prose(page) for page in documents())

    assert set(re.findall(r"\b([\d,]+)\s+(?:slots|groups of symbols)\b", text)) == {f"{SLOTS:,}"}
    assert set(re.findall(r"\bof\s+Ray\s+(\d+\.\d+)", text)) == {version("ray").rpartition(".")[0]}
