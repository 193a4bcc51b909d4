"""No two public classes, and no two public functions, have one name in desk, actors and console."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("desk", "actors", "console")
ENTRY_POINTS = {"main"}


def definitions(kinds: tuple[type[ast.stmt], ...]) -> Iterator[tuple[str, str]]:
    """Public names that modules define at their top level, each with its module's path."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, kinds) and not node.name.startswith("_"):  # type: ignore[attr-defined]
                    yield node.name, str(path.relative_to(ROOT))  # type: ignore[attr-defined]


def homonyms(found: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    places = defaultdict(set)  # the overloads of a function have one
    for name, place in found:
        places[name].add(place)
    return {name: sorted(paths) for name, paths in places.items() if len(paths) > 1}


def test_no_two_public_classes_have_one_name() -> None:
    assert homonyms(definitions((ast.ClassDef,))) == {}


def test_no_two_public_functions_have_one_name_but_entry_points() -> None:
    found = homonyms(definitions((ast.FunctionDef, ast.AsyncFunctionDef)))

    assert found.keys() - ENTRY_POINTS == set(), found


def test_two_classes_of_one_name_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "gaps.py").write_text("class Gap:\n    pass\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)

    assert homonyms(definitions((ast.ClassDef,))) == {"Gap": ["actors/gaps.py", "console/gaps.py", "desk/gaps.py"]}
