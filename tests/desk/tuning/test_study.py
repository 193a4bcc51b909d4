from pathlib import Path

import pytest

from desk.config import Plan, load_plan
from desk.inprocess.in_process_desk import run_in_process
from desk.model.errors import PlanError, RunFolderError
from desk.runs import RunFolder
from desk.tuning.past_run import read_run
from desk.tuning.study import study_plan

SYNTHETIC = """
[session]
name = "made-up"
[feed]
kind = "synthetic"
symbols = ["SYN0000", "SYN0002"]
[feed.synthetic]
symbols = 30
events_per_s = 400.0
minutes = 2
[consumers]
count = 2
max = 4
[[scanners]]
use = "strategies.scanners.top_movers:TopMovers"
max_symbols = 5
[[strategies]]
use = "strategies.examples.pressure:Pressure"
scanner = "TopMovers"
"""
LIVE = """
[session]
name = "live"
mode = "paper"
start = "09:30"
[feed]
kind = "alpaca"
[[strategies]]
use = "strategies.examples.pressure:Pressure"
symbols = ["SYN0000", "SILENT"]
"""


def plan_of(text: str, folder: Path) -> Plan:
    path = folder / "plan.toml"
    path.write_text(text)
    return load_plan(path)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the made-up market in this process."""
    folder = tmp_path_factory.mktemp("tuned")
    run = RunFolder.create(None, folder / "run", "made-up", 0)
    run_in_process(plan_of(SYNTHETIC, folder), run, show=lambda _view: None)
    return run.dir


def test_a_market_that_can_be_played_is_measured_and_its_costs_are_tried_on_its_busiest_stretch(tmp_path: Path) -> None:
    found = study_plan(plan_of(SYNTHETIC, tmp_path), 2.0, 2.0)

    load, costs = found.load, found.costs
    assert len(load.by_symbol) == 2 + 5
    assert found.picked == 5
    assert load.mean_per_s <= load.burst.per_s <= load.second.per_s
    assert sum(load.by_symbol.values()) == round(load.burst.per_s * 2.0)
    assert found.measured.ticks > 0
    assert found.measured.symbols == 7
    assert 10 < costs.tick_bytes < 300
    assert costs.producer_us > 0
    assert costs.shard_us > 0
    assert found.advice.consumers <= 4


def test_only_what_the_plan_takes_is_counted(tmp_path: Path) -> None:
    text = SYNTHETIC.partition("[[scanners]]")[0].replace('kind = "syn', 'channels = ["trades"]\nkind = "syn')
    both = SYNTHETIC.partition("[[scanners]]")[0]

    trades = study_plan(plan_of(text, tmp_path), 1.0, 2.0)
    all_of_it = study_plan(plan_of(both, tmp_path), 1.0, 2.0)

    assert 0 < trades.load.ticks < all_of_it.load.ticks
    assert trades.load.by_symbol.keys() == {"SYN0000", "SYN0002"}
    assert trades.costs.strategy_us == 0.0


def test_a_stretch_in_mid_session_is_tried_with_the_minutes_before_it(any_day: Path, tmp_path: Path) -> None:
    tape = f"""
[session]
name = "tape"
start = "09:33"
stop = "09:43"
[feed]
kind = "tape"
path = "{any_day}"
[[strategies]]
use = "strategies.examples.opening_range:OpeningRange"
"""
    found = study_plan(plan_of(tape, tmp_path), 1.0, 2.0)

    assert found.load.burst == found.load.second
    assert found.measured.seconds > 0
    assert 10 < found.costs.tick_bytes < 300


def test_a_live_feed_without_a_run_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="--from-run"):
        study_plan(plan_of(LIVE, tmp_path), 5.0, 2.0)


def test_a_live_feed_is_tuned_from_a_run_that_has_seen_the_market(run_dir: Path, tmp_path: Path) -> None:
    found = study_plan(plan_of(LIVE, tmp_path), 5.0, 2.0, run_dir)

    assert found.stand_in
    assert found.load.assumed
    assert found.measured.symbols == len(found.load.by_symbol)
    assert found.run_producer_us is None, "a run in one process says nothing of a producer's own"


def test_a_run_under_way_says_as_much_as_one_that_is_over(run_dir: Path, tmp_path: Path) -> None:
    under_way = tmp_path / "run"
    under_way.mkdir()
    (under_way / "keeper").symlink_to(run_dir / "keeper")

    over, going_on = read_run(run_dir, 5.0), read_run(under_way, 5.0)

    assert going_on.load.burst == over.load.burst
    assert going_on.load.by_symbol == over.load.by_symbol
    assert going_on.load.ticks == over.load.ticks


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no closed minute"):
        read_run(tmp_path, 5.0)
    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_takes_nothing_is_refused(tmp_path: Path) -> None:
    text = SYNTHETIC.replace('symbols = ["SYN0000", "SYN0002"]', "symbols = []").partition("[[scanners]]")[0]

    with pytest.raises(PlanError, match="symbols"):
        study_plan(plan_of(text, tmp_path), 5.0, 2.0)
