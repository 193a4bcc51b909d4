"""Whether a strategy or scanner depends on volumes: by its code, or as it says."""

import sys
from pathlib import Path
from typing import Any

import pytest

from desk.loading.volume_use import uses_volume
from desk.scanner import Scanner
from desk.strategy import Strategy
from strategies.examples.opening_range import OpeningRange
from strategies.examples.pressure import Pressure
from strategies.scanners.unusual_volume import UnusualVolume

CODE = """
from desk.strategy import Strategy

class Mine(Strategy):
    {says}

    def on_second(self, ctx):
        {body}
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(tmp_path)

    def load(body: str, says: str = "") -> type[Strategy]:
        (tmp_path / "mine_volumes.py").write_text(CODE.format(body=body, says=says or "pass"))
        sys.modules.pop("mine_volumes", None)
        return __import__("mine_volumes").Mine

    yield load
    sys.modules.pop("mine_volumes", None)


def test_the_shipped_classes_are_judged_by_what_they_read() -> None:
    assert uses_volume(UnusualVolume)
    assert not uses_volume(OpeningRange)
    assert not uses_volume(Pressure)


@pytest.mark.parametrize("body", ["x = ctx.bars.volume", "x = ctx.bars.vwap[-1]", "x = [b.minute_volume for b in ()]"])
def test_reading_a_volume_is_a_use(body: str, load: Any) -> None:
    assert uses_volume(load(body))


def test_a_class_that_reads_none_uses_none_and_may_say_otherwise(load: Any) -> None:
    assert not uses_volume(load("x = ctx.bars.close"))
    assert uses_volume(load("x = ctx.bars.close", "uses_volume = True"))
    assert not uses_volume(load("x = ctx.bars.volume", "uses_volume = False"))


def test_code_that_cannot_be_read_counts_as_a_use() -> None:
    made = type("Made", (Strategy,), {"__module__": "nowhere"})

    assert uses_volume(made)


def test_a_base_class_of_the_user_s_is_read_too() -> None:
    derived = type("Derived", (UnusualVolume,), {"__module__": __name__})

    assert uses_volume(derived)
    assert issubclass(derived, Scanner)
