"""Any fault of a strategy's or scanner's code at loading is one StrategyError that names it."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.loading import load_scanner, load_strategy
from desk.model.errors import StrategyError

PLACE = "plan.toml, [[strategies]] #1"
HEADER = """
import os, signal, sys, warnings
from typing import Annotated, Any, ClassVar
import msgspec
import numpy
from msgspec import Meta, field
from desk import strategy
from desk.scanner import Scanner
class Mute(Exception):
    def __str__(self): raise SystemExit(0)
"""
HOOK = "    def on_second(self, ctx): ...\n"
STAGES = {
    "import": "{fault}\n",
    "module attribute": "def __getattr__(name): {fault}\n",
    "params": "class Meta(type):\n"
    "    @property\n"
    "    def Params(cls): {fault}\n"
    "class Mine(strategy.Strategy, metaclass=Meta):\n" + HOOK,
    "default_factory": "def make(): {fault}\n"
    "class Mine(strategy.Strategy):\n"
    "    class Params(strategy.Params, frozen=True):\n"
    "        size: int = field(default_factory=make)\n" + HOOK,
    "post_init": "class Mine(strategy.Strategy):\n"
    "    class Params(strategy.Params, frozen=True):\n"
    "        def __post_init__(self): {fault}\n" + HOOK,
    "constructor": "class Mine(strategy.Strategy):\n    def __init__(self, params): {fault}\n" + HOOK,
    "property": "class Mine(strategy.Strategy):\n    @property\n    def on_second(self): {fault}\n",
    "metaclass": "class Meta(type):\n    def __dir__(cls): {fault}\nclass Mine(strategy.Strategy, metaclass=Meta):\n"
    + HOOK,
    "signature": "class Hook:\n"
    "    def __call__(self, ctx): ...\n"
    "    @property\n"
    "    def __signature__(self): {fault}\n"
    "class Mine(strategy.Strategy):\n"
    "    on_second = Hook()\n",
    "pickling": "class Mine(strategy.Strategy):\n    def __reduce__(self): {fault}\n" + HOOK,
    "unpickling": "def back(): {fault}\n"
    "class Mine(strategy.Strategy):\n    def __reduce__(self): return back, ()\n" + HOOK,
}  # fmt: skip
FAULTS = (
    "1 / 0", "raise SystemExit(0)", "sys.exit('over')", "raise KeyboardInterrupt", "raise GeneratorExit",
    "raise StopIteration(1)", "raise BaseException('end')", "raise Mute", "raise MemoryError", "raise RecursionError",
    "warnings.simplefilter('error'); warnings.warn_explicit('old', UserWarning, 'x', 1)",
    "raise BaseExceptionGroup('two', [SystemExit(1), ValueError()])", "raise LookupError('a\\nb')",
    "raise __import__('desk.model.errors').model.errors.CredentialsError('a', 'b')",
)  # fmt: skip
_numbers = itertools.count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder from which modules are imported."""
    path = tmp_path_factory.mktemp("author")
    sys.path.insert(0, str(path))
    yield path
    sys.path.remove(str(path))


def module_of(folder: Path, source: str) -> str:
    name = f"author_module_{next(_numbers)}"
    (folder / f"{name}.py").write_text(HEADER + source)
    return name


def refusal(folder: Path, source: str) -> StrategyError:
    with pytest.raises(StrategyError) as caught:
        load_strategy(f"{module_of(folder, source)}:Mine", {}, PLACE)
    return caught.value


def with_params(line: str) -> str:
    return f"class Mine(strategy.Strategy):\n    class Params(strategy.Params, frozen=True):\n        {line}\n{HOOK}"


@given(stage=st.sampled_from(sorted(STAGES)), fault=st.sampled_from(FAULTS))
def test_whatever_is_raised_at_whatever_stage_is_one_strategy_error(folder: Path, stage: str, fault: str) -> None:
    error = refusal(folder, STAGES[stage].format(fault=fault))

    assert error.place.startswith(PLACE)
    assert "author_module_" in error.found or "Mine" in error.found
    assert error.expected
    assert error.remedy


@pytest.mark.parametrize("fault", FAULTS)
def test_a_scanner_is_loaded_with_the_same_care(folder: Path, fault: str) -> None:
    module = module_of(
        folder, f"class Mine(Scanner):\n    def __init__(self, p): {fault}\n    def scan(self, m): ...\n"
    )

    with pytest.raises(StrategyError, match=f"building `{module}:Mine` raised"):
        load_scanner(f"{module}:Mine", {}, PLACE)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("size: 'Nowhere' = 1", "the annotation of `Mine.Params.size` does not resolve: NameError: name 'Nowhere'"),
        ("size: list['Nowhere'] = []", "the annotation of `Mine.Params.size` does not resolve"),
        ("size: ClassVar['Nowhere'] = 1", "the annotation of `Mine.Params.size` does not resolve"),
        ("name: Annotated[str, Meta(ge=1)] = 'a'", "`Mine.Params.name` has a type that cannot be used: TypeError"),
        ("sizes: list[int] | set[int] = []", "`Mine.Params.sizes` has a type that cannot be used: TypeError"),
        ("size: Annotated[int, Meta(ge=1)] = 0", "the default of `Mine.Params.size` is 0, which its own type rejects"),
        ("name: Annotated[str, Meta(pattern='^a')] = 'b'", "the default of `Mine.Params.name` is 'b', which"),
        ("size: int = 'many'", "the default of `Mine.Params.size` is 'many', which its own type rejects"),
        (
            "sizes: Annotated[list[int], Meta(min_length=1)] = field(default_factory=list)",
            "the default of `Mine.Params.sizes` is [], which its own type rejects",
        ),
        ("size: Any = field(default_factory=lambda: 1 / 0)", "the default_factory of `Mine.Params.size` raised"),
        ("rule: Any = field(default_factory=lambda: lambda: 1)", "`Mine.Params.rule` (function) does not pickle"),
    ],
)
def test_a_field_that_cannot_be_used_is_named_with_its_class(folder: Path, line: str, found: str) -> None:
    assert found in refusal(folder, with_params(line)).found


@pytest.mark.parametrize(
    "line",
    [
        "size: int = None",
        "side: 'Side' = None",
        "size: float = 1",
        "sizes: list[int] = (1, 2)",
        "sizes: list[int] = range(3)",
        "names: set[str] = frozenset({'a'})",
        "array: numpy.ndarray = None",
        "array: numpy.ndarray = field(default_factory=lambda: numpy.zeros(2))",
        "number: complex = 1j",
    ],
)
def test_a_default_that_serves_is_good_whatever_stands_for_it(folder: Path, line: str) -> None:
    module = module_of(folder, "import enum\nclass Side(enum.Enum):\n    A = 'a'\n" + with_params(line))

    assert load_strategy(f"{module}:Mine", {}, PLACE).create()


def test_a_value_of_a_type_that_no_plan_can_give_is_refused_with_its_name(folder: Path) -> None:
    module = module_of(folder, with_params("array: numpy.ndarray = None"))

    with pytest.raises(StrategyError) as caught:
        load_strategy(f"{module}:Mine", {"array": [1.0]}, PLACE)

    assert caught.value.found == "`array = [1.0]` (a list)"
    assert caught.value.expected == "a value of type ndarray, which a plan cannot contain"


def test_what_an_import_changes_of_the_process_is_put_back(folder: Path) -> None:
    source = (
        "os.chdir('/')\nsys.stdout = sys.stderr = None\nwarnings.simplefilter('error')\nnumpy.seterr(all='raise')\n"
        "sys.setrecursionlimit(200)\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    )
    module = module_of(folder, source + with_params("size: int = 1"))

    def state() -> tuple[object, ...]:
        handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        return Path.cwd(), sys.stdout, sys.stderr, np.geterr(), sys.getrecursionlimit(), *handlers

    with warnings.catch_warnings():
        warnings.resetwarnings()
        before = state()
        load_strategy(f"{module}:Mine", {}, PLACE)

        assert state() == before
        assert not [entry for entry in warnings.filters if entry[0] == "error"]


def test_a_ctrl_c_while_a_class_is_loaded_is_no_fault_of_the_class(folder: Path) -> None:
    source = "os.kill(os.getpid(), signal.SIGINT)\nsignal.sigtimedwait([], 60)\n"

    with pytest.raises(KeyboardInterrupt):
        load_strategy(f"{module_of(folder, source)}:Mine", {}, PLACE)


def test_a_ctrl_c_that_the_class_catches_is_not_lost(folder: Path) -> None:
    source = (
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n    signal.sigtimedwait([], 60)\nexcept BaseException: pass\n"
    )
    module = module_of(folder, source + with_params("size: int = 1"))

    with pytest.raises(KeyboardInterrupt):
        load_strategy(f"{module}:Mine", {}, PLACE)


def test_a_class_is_loaded_in_a_thread_too_where_no_signal_comes(folder: Path) -> None:
    found: list[object] = []

    def load() -> None:
        try:
            load_strategy(f"{module_of(folder, 'raise KeyboardInterrupt')}:Mine", {}, PLACE)
        except StrategyError as error:
            found.append(error)

    thread = threading.Thread(target=load)
    thread.start()
    thread.join()

    assert len(found) == 1


def test_a_stream_that_an_import_closes_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with os.fdopen(os.dup(1), "w") as mine:
        monkeypatch.setattr(sys, "stdout", mine)

        error = refusal(folder, "sys.stdout.close()\n" + with_params("size: int = 1"))
        sys.stdout.close()

    assert error.found.endswith("closed sys.stdout")


CHECKED = """
import sys
from desk.loading import load_strategy
from desk.model.errors import StrategyError
try:
    load_strategy("mine:Mine", {}, "plan.toml")
except StrategyError as fault:
    print(fault.found)
print("here", file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("source", "out"),
    [
        ("import atexit, os\natexit.register(os._exit, 9)\n", ""),
        ("from atexit import register\nimport os\nregister(lambda: os._exit(9))\n", ""),
        ("import os\nos.close(1)\nos.close(2)\n", "loading `mine:Mine` closed stdout\n"),
        ("import os\nos.closerange(0, 3)\n", "loading `mine:Mine` closed stdin\n"),
        ("import os\nos.dup2(os.open(os.devnull, os.O_RDWR), 2)\n", "loading `mine:Mine` closed stderr\n"),
    ],
)
def test_code_that_is_loaded_changes_neither_exit_status_nor_standard_files(
    source: str, out: str, tmp_path: Path
) -> None:
    mine = "from desk import strategy\nclass Mine(strategy.Strategy):\n" + HOOK
    (tmp_path / "mine.py").write_text(source + mine)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[3]}"}

    done = subprocess.run(
        [sys.executable, "-c", CHECKED], env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, out, "here\n")
