"""Calls of actor methods by attribute. Every test on Ray covers the effect of such calls."""

import ast
from pathlib import Path

from actors.calls.handles import bound, call
from actors.calls.interfaces import SupervisedActor

ROOT = Path(__file__).resolve().parents[2]


class Method:
    """Stands for a method of Ray's handle: it says what it was called with."""

    def remote(self, *args: object, **kwargs: object) -> tuple[object, object]:
        return args, kwargs


class Handle:
    """Stands for a handle of Ray's, which has its methods as attributes, and no others."""

    usage = Method()


def test_the_method_of_the_same_name_is_called_with_the_arguments() -> None:
    assert call(Handle(), SupervisedActor.usage, 1, two=2) == ((1,), {"two": 2})  # type: ignore[arg-type]
    assert bound(Handle(), SupervisedActor.usage)() == ((), {})  # type: ignore[arg-type]


def test_no_method_of_an_actor_is_looked_up_by_its_name_elsewhere() -> None:
    files = [path for path in (ROOT / "actors").rglob("*.py") if path.name != "handles.py"]

    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr == "remote"
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "getattr"
    ]

    assert len(files) > 20
    assert found == []
