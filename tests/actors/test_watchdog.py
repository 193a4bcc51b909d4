"""A strategy that hangs, raises, hoards or kills its process is stopped and named; the rest is as without it."""

import re
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from heads import RayHead, clean_environment
from running import RunningDesk, assert_same_results

from desk.breadcrumbs import SHARED_MEMORY

pytestmark = pytest.mark.ray

PLAN: Final = """
[session]
name = "guarded"
[feed]
kind = "synthetic"
synthetic = { symbols = 6, events_per_s = 60.0, minutes = 8 }
[flow]
checkpoint_s = 0.1
[guards]
hang_s = 0.5
memory_mb = 256
[consumers]
count = 2
cpus = 0.5
[[strategies]]
use = "strategies.examples.opening_range:OpeningRange"
params = { minutes = 2 }
[[strategies]]
use = "strategies.examples.mean_reversion:MeanReversion"
"""

ONE: Final = """
[[strategies]]
use = "tests.actors.misbehaving:Misbehaving"
name = "Bad"
symbols = ["SYN0002"]
params = {{ deed = "{deed}", minute = 3 }}
"""

EVERYWHERE: Final = """
[[strategies]]
use = "tests.actors.misbehaving:Misbehaving"
name = "Bad"
params = {{ deed = "{deed}", minute = 3, on_second = true }}
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the plan in one process, without the strategy."""
    folder = tmp_path_factory.mktemp("without")
    (folder / "plan.toml").write_text(PLAN)
    desk = RunningDesk(folder / "plan.toml", folder / "run", clean_environment(), "--in-process")
    status, _, err = desk.finish()
    assert status == 0, err
    assert desk.summary()["decisions"] > 20
    return desk.run_dir


def run(plan: str, folder: Path, head: RayHead) -> tuple[list[str], int]:
    """Run a plan with a bad strategy to its end; its problems and the restarts, once all else is as it should be."""
    (folder / "plan.toml").write_text(plan)
    desk = RunningDesk(folder / "plan.toml", folder / "run", head.environment, "--address", head.address)
    with closing(desk):
        status, _, err = desk.finish()
    assert status == 0, err
    summary = desk.summary()
    assert summary["balanced"]
    assert not summary["ok"]
    assert not list(SHARED_MEMORY.glob(f"raydesk-{summary['run_id']}-*"))
    return summary["problems"], sum(consumer["restarts"] for consumer in summary["consumers"])


@pytest.mark.parametrize(
    ("deed", "why", "restarts"),
    [
        ("spin", r"no progress for 0\.5 s in on_trade", 1),
        ("backtrack", r"no progress for 0\.5 s in on_trade", 1),
        ("fail", r"on_trade raised ValueError: so it is\n[^$]*misbehaving\.py[^$]*", 0),
        ("hoard", r"on_trade raised MemoryError\n[^$]*misbehaving\.py[^$]*", 0),
        ("hoard_for_good", r"on_trade raised MemoryError\n[^$]*misbehaving\.py[^$]*", 0),
        ("leave", r"its process died twice in on_trade \(at \d+\)", 2),
        ("crash", r"its process died twice in on_trade \(at \d+\)", 2),
    ],
)
def test_a_bad_strategy_is_stopped_and_named_and_all_else_is_as_without_it(
    deed: str, why: str, restarts: int, ray_head: RayHead, undisturbed: Path, tmp_path: Path
) -> None:
    problems, restarted = run(PLAN + ONE.format(deed=deed), tmp_path, ray_head)

    (problem,) = problems
    assert re.fullmatch(f"strategy Bad was stopped for SYN0002: {why}", problem), problem
    assert restarted == restarts
    assert_same_results(tmp_path / "run", undisturbed)


@pytest.mark.parametrize(("deed", "deaths"), [("spin", 1), ("hoard", 0), ("leave", 2)])
def test_one_that_is_bad_on_every_symbol_at_the_same_mark_is_stopped_on_each(
    deed: str, deaths: int, ray_head: RayHead, undisturbed: Path, tmp_path: Path
) -> None:
    problems, restarted = run(PLAN + EVERYWHERE.format(deed=deed), tmp_path, ray_head)

    named = re.findall(r"strategy Bad was stopped for (SYN\d+): .*on_second", "\n".join(problems))
    assert sorted(named) == [f"SYN{number:04}" for number in range(6)]
    assert restarted == 6 * deaths
    assert_same_results(tmp_path / "run", undisturbed)
