"""A module's tests are found by its name, or its docstring says where they are."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
PACKAGES = ("desk", "actors", "console", "strategies")

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}
HELPERS = {path.stem: path for path in TESTS.rglob("*.py") if not path.name.startswith("test_")}
TEST_FILES = sorted(TESTS.rglob("test_*.py"))
WHOLE_DESK = {"console.cli", "console.entry", "desk.inprocess.in_process_desk", "session_ray", "desk_process"}
"""What a test imports that runs a whole desk: then it exercises every part."""
NAMED = re.compile(r"\bTests: ([^\"]*?)\.?$", re.MULTILINE)

WITHOUT_LOGIC = {
    "desk.consumer.engine.engine_clock",
    "desk.consumer.engine.engine_config",
    "desk.flow.held_counts",
    "desk.flow.lane_config",
    "desk.model.bars",
    "desk.model.batch",
    "desk.model.checkpoint",
    "desk.model.commands",
    "desk.model.feed_health",
    "desk.model.feed_position",
    "desk.model.hours",
    "desk.model.interrupts",
    "desk.model.items",
    "desk.model.lane_row",
    "desk.model.notes",
    "desk.model.orders",
    "desk.model.records",
    "desk.model.session",
    "desk.model.ticks",
    "desk.model.units",
    "desk.orders.order_ledger",
    "desk.orders.order_venue",
    "desk.ports.broker",
    "desk.ports.clock",
    "desk.ports.feed",
    "desk.ports.keeper",
    "desk.ports.mailbox",
    "desk.ports.scanners",
    "desk.ports.shard_links",
    "desk.ports.venue",
    "desk.process.usage",
    "desk.producer.pacing",
    "desk.producer.progress",
    "desk.report.page_style",
    "desk.streams.stream_protocol",
    "desk.trading.risk_limits",
}
"""Modules of records, interfaces, constants, or single expressions: no statement in them decides or repeats."""
LOGIC = (ast.If, ast.For, ast.While, ast.Try, ast.Match)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports_of(path: Path) -> frozenset[str]:
    """The modules that a file imports, or names in a text, as plans and child processes do."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {origin_of(node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= set(re.findall(r"\b(?:desk|actors|console|strategies)(?:\.\w+)+", node.value))
    parents = {name.rpartition(".")[0] for name in found}
    return frozenset(name for name in found | parents if name in MODULES or name in HELPERS)


def origin_of(module: str, name: str) -> str:
    """The module in which a name stands that is imported from a module or a package."""
    if f"{module}.{name}" in MODULES:
        return f"{module}.{name}"
    package = MODULES.get(f"{module}.__init__")
    for node in ast.walk(tree_of(package)) if package else ():
        if isinstance(node, ast.ImportFrom) and node.module and name in [alias.name for alias in node.names]:
            return origin_of(node.module, name)
    return module if package is None else f"{module}.__init__"


@cache
def reached_by(test: Path) -> frozenset[str]:
    """The modules of the desk, and helpers, that a test file imports itself or by helpers and conftest.py files."""
    todo = [test, *(folder / "conftest.py" for folder in test.parents if (folder / "conftest.py").is_file())]
    found: set[str] = set()
    while todo:
        imported = imports_of(todo.pop())
        todo += [HELPERS[name] for name in (imported - found) & HELPERS.keys()]
        found |= imported
    return frozenset(found)


def exercises(test: Path, module: str) -> bool:
    """Whether a test file runs the whole desk, or imports the module: itself, or by one that it imports.

    Within the module's own room it may be reached through any number of modules.
    """
    reached = reached_by(test)
    if reached & WHOLE_DESK:
        return True
    namesake = ".".join((*test.parent.relative_to(TESTS).parts, test.stem.removeprefix("test_")))
    todo = list((reached | {namesake}) & MODULES.keys())
    first = len(todo)
    seen = set(todo)
    room = module.rpartition(".")[0]
    for number, name in enumerate(todo):
        if number < first or name.startswith(f"{room}."):
            todo += (news := imports_of(MODULES[name]) & MODULES.keys() - seen)
            seen |= news
    return module in seen


def found_by_name(module: str) -> list[Path]:
    """test_<module>.py, or test_<room>_<module>.py: in the same place below tests, or elsewhere if it imports it."""
    *rooms, _ = module.split(".")
    places = {TESTS.joinpath(*rooms), TESTS.joinpath(*rooms[:-1])}
    in_place = [path for path in TEST_FILES if path.parent in places and path.name in names_for(module)]
    elsewhere = [path for path in TEST_FILES if path.name in names_for(module) and module in reached_by(path)]
    return in_place or elsewhere


def names_for(module: str) -> set[str]:
    *rooms, name = module.split(".")
    return {f"test_{name}.py", *(f"test_{room}_{name}.py" for room in rooms)}


def found_by_docstring(module: str) -> list[Path]:
    """The files behind "Tests:" in the module's docstring."""
    named = NAMED.findall(ast.get_docstring(tree_of(MODULES[module])) or "")
    return [ROOT / name for name in re.findall(r"tests/\S+?\.py", " ".join(named))]


def needs_tests() -> list[str]:
    """The modules that must have findable tests."""
    return sorted(name for name in MODULES.keys() - WITHOUT_LOGIC if not name.endswith("__init__"))


def test_the_tests_of_every_module_are_found_by_its_name_or_named_in_its_docstring() -> None:
    unfound = [module for module in needs_tests() if not found_by_name(module) and not found_by_docstring(module)]

    assert unfound == []


def test_tests_that_a_docstring_names_exist() -> None:
    named = {module: found_by_docstring(module) for module in MODULES}
    lines = {module for module in MODULES if "Tests:" in (ast.get_docstring(tree_of(MODULES[module])) or "")}

    assert [module for module in sorted(lines) if not named[module]] == []
    assert [(module, path.name) for module, paths in named.items() for path in paths if not path.is_file()] == []


def test_a_module_s_tests_exercise_it() -> None:
    found = {module: found_by_docstring(module) or found_by_name(module) for module in needs_tests()}

    idle = [(module, path.name) for module, paths in found.items() for path in paths if not exercises(path, module)]
    assert idle == []


def test_modules_without_logic_have_none() -> None:
    logic = {
        name for name in WITHOUT_LOGIC if any(isinstance(node, LOGIC) for node in ast.walk(tree_of(MODULES[name])))
    }

    assert logic == set()


def test_no_module_is_exempt_that_has_tests_of_its_name() -> None:
    assert [name for name in sorted(WITHOUT_LOGIC) if found_by_name(name)] == []


def test_no_two_test_files_have_one_name() -> None:
    names = [path.name for path in TEST_FILES]

    assert sorted({name for name in names if names.count(name) > 1}) == []
