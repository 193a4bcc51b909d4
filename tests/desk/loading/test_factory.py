import itertools
import pickle
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from desk import strategy
from desk.loading import ScannerFactory, StrategyFactory, load_scanner, load_strategy
from desk.model.errors import StrategyError

PLACE = "plan.toml [[strategies]] mine"
HEADER = """
from typing import Annotated, Literal
from msgspec import Meta
from desk import strategy
from desk.scanner import Scanner
"""
MINE = """
class Mine(strategy.Strategy):
    class Params(strategy.Params, frozen=True, kw_only=True):
        minutes: Annotated[int, Meta(ge=1)] = 15
        risk_usd: float = 50.0
        side: Literal["long", "short"] = "long"
        weights: list[float] = []
        short: bool = False

    def on_second(self, ctx):
        pass
"""

WriteModule = Callable[[str], str]
_numbers = itertools.count()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteModule:
    """Writes a module of its own name into an importable folder; gives the name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write_module(source: str) -> str:
        name = f"module_of_a_test_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(HEADER + textwrap.dedent(source))
        return name

    return write_module


def with_hook(hook: str) -> str:
    return "class Mine(strategy.Strategy):\n    " + hook


def refusal(use: str, params: Mapping[str, object] | None = None) -> StrategyError:
    with pytest.raises(StrategyError) as caught:
        load_strategy(use, params or {}, PLACE)
    assert caught.value.place.startswith(PLACE)
    assert caught.value.expected
    return caught.value


def test_a_sound_strategy_becomes_a_factory_of_fresh_instances(write: WriteModule) -> None:
    module = write(MINE)

    factory = load_strategy(f"{module}:Mine", {"minutes": 5, "risk_usd": 100}, PLACE)

    one, other = factory.create(), factory.create()
    assert isinstance(factory, StrategyFactory)
    assert one is not other
    assert one.params.minutes == 5  # type: ignore[attr-defined]
    assert type(one.params.risk_usd) is float  # type: ignore[attr-defined]


def test_the_factory_pickles(write: WriteModule) -> None:
    factory = load_strategy(f"{write(MINE)}:Mine", {"side": "short"}, PLACE)

    copy = pickle.loads(pickle.dumps(factory))

    assert copy == factory
    assert copy.create().params == factory.params


@pytest.mark.parametrize(
    "use", ["", "module", "module:", ":Class", "a b:Class", "module:Class()", "a..b:C", "a/b.py:C"]
)
def test_a_use_that_is_no_module_and_class_is_refused(use: str) -> None:
    assert "package.module:Class" in refusal(use).expected


def test_a_module_that_is_not_there_is_named() -> None:
    error = refusal("nowhere_at_all.mine:Mine")

    assert error.found == "no module `nowhere_at_all`"
    assert "working directory" in error.remedy


def test_a_mistyped_module_of_a_package_is_met_with_the_nearest_name() -> None:
    error = refusal("strategies.examples.opening_rnage:OpeningRange")

    assert error.found == "no module `strategies.examples.opening_rnage`"
    assert error.remedy == "Did you mean `strategies.examples.opening_range`?"


def test_a_module_is_no_package() -> None:
    assert refusal("strategies.template.mine:Mine").found == "no module `strategies.template.mine`"


def test_a_missing_import_of_the_module_is_distinguished_from_the_module(write: WriteModule) -> None:
    module = write("import nowhere_at_all\n" + MINE)

    error = refusal(f"{module}:Mine")

    assert "`nowhere_at_all` is not installed" in error.found
    assert f"{module}.py, line 6" in error.found
    assert "Install" in error.remedy


def test_a_syntax_error_is_given_with_file_and_line(write: WriteModule) -> None:
    module = write("limits = (1, 2\n")

    error = refusal(f"{module}:Mine")

    assert "'(' was never closed" in error.found
    assert f"{module}.py, line 6" in error.found


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("limit = 1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("from json import nothing_such", "ImportError: cannot import name 'nothing_such'"),
    ],
)
def test_what_the_module_raises_at_import_is_given_with_its_place(write: WriteModule, line: str, cause: str) -> None:
    module = write(line)

    error = refusal(f"{module}:Mine")

    assert f"it raised {cause}" in error.found
    assert f"{module}.py, line 6)" in error.found


def test_a_mistyped_class_is_met_with_the_nearest_name(write: WriteModule) -> None:
    module = write(MINE)

    error = refusal(f"{module}:Mien")

    assert error.found == f"no class `Mien` in `{module}`"
    assert error.expected == "one of `Mine`"
    assert error.remedy == "Did you mean `Mine`?"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("class Mine: ...", "is a class, but not a Strategy"),
        ("class Mine(Scanner): ...", "is a class, but not a Strategy"),
        ("Mine = strategy.Strategy", "is Strategy itself"),
        ("def Mine(params): ...", "is not a class but of type function"),
    ],
)
def test_what_is_no_strategy_is_refused(write: WriteModule, source: str, found: str) -> None:
    assert found in refusal(f"{write(source)}:Mine").found


def test_an_unknown_parameter_is_met_with_the_nearest_name(write: WriteModule) -> None:
    error = refusal(f"{write(MINE)}:Mine", {"minuets": 5})

    assert error.place == f"{PLACE}, params"
    assert error.found == "unknown parameter `minuets`"
    assert error.expected == "one of `minutes`, `risk_usd`, `side`, `weights`, `short`"
    assert error.remedy == "Did you mean `minutes`?"


def test_a_strategy_without_params_takes_none(write: WriteModule) -> None:
    module = write("class Mine(strategy.Strategy):\n    def on_second(self, ctx): ...")

    error = refusal(f"{module}:Mine", {"speed": 1})

    assert error.expected == "no parameters"


@pytest.mark.parametrize(
    ("params", "found", "expected", "remedy"),
    [
        ({"minutes": "5"}, '`minutes = "5"` (text)', "a whole number ≥ 1", "Write it without quotes. Default: 15."),
        ({"minutes": 0}, "`minutes = 0` (a whole number)", "a whole number ≥ 1", "Default: 15."),
        ({"minutes": 5.0}, "`minutes = 5.0` (a number)", "a whole number ≥ 1", "Default: 15."),
        ({"minutes": True}, "`minutes = true` (true or false)", "a whole number ≥ 1", "Default: 15."),
        ({"risk_usd": [5]}, "`risk_usd = [5]` (a list)", "a number", "Default: 50.0."),
        ({"side": "up"}, '`side = "up"` (text)', 'one of "long", "short"', 'Default: "long".'),
        ({"weights": ["a"]}, '`weights = ["a"]` (a list)', "a list, each item a number", ""),
        ({"short": "true"}, '`short = "true"` (text)', "true or false", "Write it without quotes. Default: false."),
    ],
)
def test_a_wrong_value_is_explained_in_plain_words(
    write: WriteModule, params: dict[str, object], found: str, expected: str, remedy: str
) -> None:
    error = refusal(f"{write(MINE)}:Mine", params)

    assert (error.found, error.expected, error.remedy) == (found, expected, remedy)


def test_a_missing_parameter_is_named_with_its_kind(write: WriteModule) -> None:
    module = write("""
        class Mine(strategy.Strategy):
            class Params(strategy.Params, frozen=True):
                size: Annotated[float, Meta(gt=0, le=10)]
            def on_second(self, ctx): ...
    """)

    error = refusal(f"{module}:Mine")

    assert error.found == "missing parameter `size`"
    assert error.expected == "`size`: a number > 0 and ≤ 10"


def test_params_that_do_not_go_together_are_refused_in_the_authors_words(write: WriteModule) -> None:
    module = write("""
        class Mine(strategy.Strategy):
            class Params(strategy.Params, frozen=True):
                low: int = 1
                high: int = 2
                def __post_init__(self):
                    if self.low >= self.high:
                        raise ValueError("low must lie below high")
            def on_second(self, ctx): ...
    """)

    assert "low must lie below high" in refusal(f"{module}:Mine", {"low": 3}).found


def test_params_of_another_kind_are_refused(write: WriteModule) -> None:
    module = write("""
        class Mine(strategy.Strategy):
            Params = dict
            def on_second(self, ctx): ...
    """)

    assert "`Mine.Params` is not a subclass of desk.strategy.Params" in refusal(f"{module}:Mine").found


def test_a_strategy_without_hooks_is_refused(write: WriteModule) -> None:
    error = refusal(f"{write('class Mine(strategy.Strategy): ...')}:Mine")

    assert error.found == "`Mine` defines no hook, so it would never run"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("on_seconds", "Did you mean `on_second`?"),
        ("on_trades", "Did you mean `on_trade`?"),
        ("on_tick", "Did you mean `on_trade` or `on_quote`?"),
        ("on_full_moon", "Give it a hook's name, or a name that does not start with `on_`."),
    ],
)
def test_a_mistyped_hook_is_refused_beside_good_ones(write: WriteModule, name: str, remedy: str) -> None:
    error = refusal(f"{write(MINE + f'    def {name}(self, ctx): ...')}:Mine")

    assert error.found == f"`Mine.{name}` is not a hook, so it would never run"
    assert error.remedy == remedy


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ("def on_second(self): ...", "`def on_second(self, ctx)`"),
        ("def on_second(self, ctx, now): ...", "`def on_second(self, ctx)`"),
        ("def on_bar(self, bar): ...", "`def on_bar(self, ctx, bar)`"),
        ("def on_fill(self, ctx, fill, *, price): ...", "`def on_fill(self, ctx, fill)`"),
        ("async def on_trade(self, ctx, trade): ...", "`def on_trade(self, ctx, trade)`"),
        ("def on_quote(self, ctx, quote): yield", "`def on_quote(self, ctx, quote)`"),
        ("on_second = 5", "`def on_second(self, ctx)`"),
    ],
)
def test_a_hook_that_could_not_be_called_is_refused(write: WriteModule, hook: str, expected: str) -> None:
    error = refusal(f"{write(with_hook(hook))}:Mine")

    assert "`Mine.on_" in error.found
    assert error.expected == expected


@pytest.mark.parametrize("hook", ["def on_bar(self, *args): ...", "def on_bar(self, ctx, bar, extra=1): ..."])
def test_a_hook_that_can_be_called_so_is_good(write: WriteModule, hook: str) -> None:
    factory = load_strategy(f"{write(with_hook(hook))}:Mine", {}, PLACE)

    assert hasattr(factory.create(), "on_bar")


def test_a_constructor_that_raises_is_refused_with_its_cause(write: WriteModule) -> None:
    module = write("""
        class Mine(strategy.Strategy):
            def __init__(self, params):
                raise RuntimeError("no luck")
            def on_second(self, ctx): ...
    """)

    error = refusal(f"{module}:Mine")

    assert "raised RuntimeError: no luck" in error.found
    assert f"{module}.py, line 9" in error.found


def test_an_attribute_that_does_not_pickle_is_named(write: WriteModule) -> None:
    module = write("""
        class Mine(strategy.Strategy):
            def __init__(self, params):
                super().__init__(params)
                self.rule = lambda price: price > 0
            def on_second(self, ctx): ...
    """)

    error = refusal(f"{module}:Mine")

    assert "`Mine.rule` (function) does not pickle" in error.found


def test_an_instance_that_pickles_but_does_not_come_back_is_refused(write: WriteModule) -> None:
    module = write("""
        class Mine(strategy.Strategy):
            def __setstate__(self, state):
                raise KeyError("lost")
            def on_second(self, ctx): ...
    """)

    assert "`Mine` does not pickle: KeyError: 'lost'" in refusal(f"{module}:Mine").found


def test_a_class_that_no_other_process_could_find_is_refused(write: WriteModule) -> None:
    module = write("""
        def make():
            class Hidden(strategy.Strategy):
                def on_second(self, ctx): ...
            return Hidden
        Mine = make()
    """)

    assert "`Hidden` does not pickle" in refusal(f"{module}:Mine").found


def test_a_sound_scanner_becomes_a_factory_that_pickles(write: WriteModule) -> None:
    module = write("class Mine(Scanner):\n    def scan(self, market): return []")

    factory = pickle.loads(pickle.dumps(load_scanner(f"{module}:Mine", {}, PLACE)))

    assert isinstance(factory, ScannerFactory)
    assert type(factory.create()).__name__ == "Mine"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("class Mine(Scanner): ...", "`Mine` does not define `scan`"),
        ("class Mine(Scanner):\n    def scan(self): ...", "`Mine.scan` takes ()"),
        ("class Mine(strategy.Strategy): ...", "is a class, but not a Scanner"),
        ("Mine = Scanner", "is Scanner itself"),
        (
            "class Mine(Scanner):\n    def __init__(self, p): self.rule = lambda: 0\n    def scan(self, market): ...",
            "`Mine.rule` (function) does not pickle",
        ),
    ],
)
def test_what_is_no_sound_scanner_is_refused(write: WriteModule, source: str, found: str) -> None:
    with pytest.raises(StrategyError) as caught:
        load_scanner(f"{write(source)}:Mine", {}, PLACE)

    assert found in caught.value.found


def test_a_hook_that_raises_when_it_is_looked_up_is_reported(write: WriteModule) -> None:
    module = write(with_hook("on_second = property(lambda self: 1 / 0)"))

    with pytest.raises(StrategyError, match=r"`Mine\.on_second` raised ZeroDivisionError"):
        load_strategy(f"{module}:Mine", {}, PLACE)


@pytest.mark.parametrize(
    "content",
    [
        b"x = 1\0",
        "x = 1".encode("utf-16"),
        "x = 'é'".encode("latin-1"),
        b"# coding: no-such\nx = 1",
        b"x = " + 3_000 * b"(" + 3_000 * b")",
        b"x = " + 200_000 * b"-" + b"1",
    ],
    ids=["null byte", "utf-16", "latin-1", "unknown coding", "deep parentheses", "deep signs"],
)
def test_a_file_that_is_no_text_is_named(content: bytes, write: WriteModule, tmp_path: Path) -> None:
    module = write("")
    (tmp_path / f"{module}.py").write_bytes(content)

    with pytest.raises(StrategyError, match=rf"cannot be imported: .*{module}\.py.*expected valid Python"):
        load_strategy(f"{module}:Mine", {}, PLACE)


def test_an_import_of_a_file_that_is_no_text_is_named(write: WriteModule, tmp_path: Path) -> None:
    helper = write("")
    (tmp_path / f"{helper}.py").write_bytes(b"x = 1\0")
    module = write(f"import {helper}")

    with pytest.raises(StrategyError, match=rf"null bytes.*{module}\.py, line \d"):
        load_strategy(f"{module}:Mine", {}, PLACE)


def test_a_value_error_of_a_module_is_its_own(write: WriteModule) -> None:
    module = write("int('x')")

    with pytest.raises(StrategyError, match=rf"it raised ValueError: invalid literal.*{module}\.py, line \d"):
        load_strategy(f"{module}:Mine", {}, PLACE)


def test_whatever_an_import_raises_is_reported(write: WriteModule) -> None:
    module = write("raise BaseException('end')")

    with pytest.raises(StrategyError, match="it raised BaseException: end"):
        load_strategy(f"{module}:Mine", {}, PLACE)


class Listing(strategy.Strategy):
    """Has a list among its params."""

    class Params(strategy.Params, frozen=True):
        levels: list[float]

    params: "Listing.Params"


def test_a_strategy_that_changes_a_list_in_its_params_changes_no_other_ones() -> None:
    factory = StrategyFactory(Listing, Listing.Params([1.0]))
    one, other = factory.create(), factory.create()

    one.params.levels.append(2.0)  # type: ignore[attr-defined]

    assert other.params.levels == factory.create().params.levels == [1.0]  # type: ignore[attr-defined]
