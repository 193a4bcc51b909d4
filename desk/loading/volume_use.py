"""Whether a strategy or scanner depends on volumes.

The rule: it does if the code of its module, or of a module of a base class that is not the desk's, reads an attribute
named `volume`, `vwap` or `minute_volume`, as `ctx.bars.volume`. The class attribute `uses_volume` overrides it. Where
the code cannot be read, the answer is yes.

Tests: tests/desk/loading/test_volume_use.py
"""

import ast
import inspect
import sys
from typing import Final

from desk.scanner import Scanner
from desk.strategy import Strategy

READ: Final = frozenset({"volume", "vwap", "minute_volume"})


def uses_volume(cls: type[Strategy] | type[Scanner]) -> bool:
    """Whether the class reads volumes."""
    if cls.uses_volume is not None:
        return cls.uses_volume
    bases = (base for base in cls.__mro__ if issubclass(base, Strategy | Scanner) and base not in {Strategy, Scanner})
    return any(map(_reads_volume, {base.__module__ for base in bases}))


def _reads_volume(module: str) -> bool:
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (KeyError, OSError, TypeError, SyntaxError):
        return True
    return any(isinstance(node, ast.Attribute) and node.attr in READ for node in ast.walk(tree))
