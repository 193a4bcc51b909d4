import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from console.cli import app
from desk.config import Plan

PLAN = """
[session]
name = "small-day"
[feed]
kind = "synthetic"
symbols = ["*"]
[feed.synthetic]
symbols = 20
events_per_s = 100
minutes = 1
[[strategies]]
use = "raising_strategy:Raising"
"""
STRATEGY = """
from desk.strategy import Strategy


class Raising(Strategy):
    def on_second(self, ctx):
        raise ValueError("no")
"""


def desk(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def plan_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "raising_strategy.py").write_text(STRATEGY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "raising_strategy", raising=False)
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def test_tune_shows_its_arithmetic_and_ends_with_what_can_be_pasted(plan_path: Path) -> None:
    result = desk("tune", plan_path, "--burst-seconds", "3", "--safety", "1.5")

    assert result.exit_code == 0, result.stderr
    for told in (
        "small-day, a burst of 3 s", "busiest 3 s", "busiest second", "µs per tick: read, route, encode",
        "µs per symbol and session second", "/ 0.6", "share of the busiest lane) x 1.5", "round trip", "limits first",
        "cannot be split", "stopped 20 times",
    ):  # fmt: skip
        assert told in result.stdout
    pasted = tomllib.loads(result.stdout[result.stdout.index("[consumers]\n") :])
    plan = Plan.model_validate(tomllib.loads(PLAN) | pasted)
    assert plan.consumers.count == 1
    assert plan.flow.lag_threshold == plan.flow.capacity // 2


@pytest.mark.parametrize(
    ("option", "value"),
    [("--burst-seconds", "0"), ("--burst-seconds", "nan"), ("--safety", "0.5")],
)
def test_a_figure_out_of_bounds_exits_2_and_is_named(plan_path: Path, option: str, value: str) -> None:
    result = desk("tune", plan_path, option, value)

    assert result.exit_code == 2
    assert option in result.stderr


def test_a_live_feed_needs_a_run(plan_path: Path) -> None:
    head, _, rest = PLAN.partition("[feed.synthetic]")
    live = head.replace('kind = "synthetic"', 'kind = "alpaca"').replace(
        'name = "small-day"', 'name = "x"\nmode = "paper"'
    )
    plan_path.write_text(live + rest[rest.index("[[strategies]]") :])

    result = desk("tune", plan_path)

    assert result.exit_code == 2
    assert "--from-run DIR" in result.stderr
