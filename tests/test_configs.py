"""The plans in configs/ are valid."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli import app
from console.plan_classes import load_classes, volume_warnings
from desk.config import Plan, load_plan

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
KEYS = ("ALPACA_API_KEY", "ALPACA_SECRET_KEY")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*KEYS, "DATA_CONNECTOR", "NUM_CONSUMERS", "RAYDESK_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_plan_loads_and_so_do_the_classes_it_names(path: Path) -> None:
    plan = load_plan(path)

    assert load_classes(path, plan).strategies


def test_the_paper_plan_wants_keys(clean: pytest.MonkeyPatch) -> None:
    without = CliRunner().invoke(app, ["check", str(CONFIGS / "paper.toml")])
    for name in KEYS:
        clean.setenv(name, "a key")
    present = CliRunner().invoke(app, ["check", str(CONFIGS / "paper.toml")])

    assert without.exit_code == 3
    assert "ALPACA_API_KEY" in without.stderr
    assert present.exit_code == 0, present.stderr
    assert "opening-range" in present.stdout


def test_the_paper_plan_is_elastic() -> None:
    consumers = load_plan(CONFIGS / "paper.toml").consumers

    assert consumers.count == 0
    assert consumers.min < consumers.max


VOLUME_USER = """
from desk.strategy import Strategy

class Breakout(Strategy):
    def on_bar(self, ctx, bar):
        if len(ctx.bars) and bar.volume > 2 * ctx.bars.volume.mean():
            ctx.buy(1)
"""


@pytest.mark.parametrize(("name", "warned"), [("iex", True), ("sip", False), ("delayed_sip", False)])
def test_a_strategy_that_reads_volumes_of_a_part_of_the_market_is_warned_of(
    name: str, warned: bool, tmp_path: Path, clean: pytest.MonkeyPatch
) -> None:
    clean.syspath_prepend(tmp_path)
    (tmp_path / "volume_user.py").write_text(VOLUME_USER)
    plan = Plan.model_validate(
        {
            "session": {"name": "x", "mode": "paper"},
            "feed": {"kind": "alpaca", "name": name},
            "strategies": [
                {"use": "volume_user:Breakout"},
                {"use": "strategies.examples.opening_range:OpeningRange"},
            ],
        }
    )

    warnings = volume_warnings(plan, load_classes(tmp_path / "plan.toml", plan))

    assert len(warnings) == warned
    assert all("Breakout reads volumes" in line and "OpeningRange" not in line for line in warnings)
