"""A strategy that hangs, raises, takes too much memory or ends its process is stopped; others are unaffected."""

import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from math import inf
from pathlib import Path
from typing import Final

import pytest
from desk_process import RunningDesk, assert_same_results
from node_cluster import NodeCluster
from session_ray import ROOT, RayHead, clean_environment

from actors.driver.crash_blame import CRASHES, DEATHS_IN_A_CALL, MOST_SYMBOLS
from desk.flow.crash_counter import DEATHS_OF_A_TICK
from desk.process.breadcrumbs import SHARED_MEMORY

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
hang_s = 2.0
memory_mb = 256
[consumers]
count = 2
cpus = 0.5
[[strategies]]
use = "strategies.examples.opening_range:OpeningRange"
params = { minutes = 2 }
max_orders_per_minute = 60
[[strategies]]
use = "strategies.examples.mean_reversion:MeanReversion"
max_orders_per_minute = 60
"""

BAD: Final = """
[[strategies]]
use = "tests.actors.misbehaving_strategy:MisbehavingStrategy"
name = "{deed}"
symbols = {symbols}
params = {{ deed = "{deed}", minute = {minute}, until = {until}, on_second = {on_second} }}
"""

ON_SYMBOLS: Final = {
    "spin": (0, r"no progress for 2 s in on_trade"),
    "backtrack": (1, r"no progress for 2 s in on_trade"),
    "fail": (2, r"on_trade raised ValueError: so it is"),
    "hoard": (3, r"on_trade raised MemoryError"),
    "hoard_for_good": (4, r"on_trade raised MemoryError"),
    "leave": (5, r"its process was ended in on_trade by os\._exit\(3\) at \S+misbehaving_strategy\.py, line \d+"),
    "crash": (0, r"its process crashed 2 times in a row in on_trade: Segmentation fault at \S+, line \d+"),
    "kill_itself": (1, r"its process was ended in on_trade by os\.kill with SIGKILL"),
    "leave_natively": (2, r"its process died 3 times in a row in on_trade \(at \d+\)"),
    "leave_later": (3, r"its process was ended after on_trade by os\._exit\(5\) at \S+threading\.py, line \d+"),
    "start_daemon": (4, r"it left process \d+ \(\S+\) running"),
    "start_process": (5, r"it left process \d+ \(\S+\) running"),
    "quit_python": (0, r"on_trade raised SystemExit: enough"),
    "interrupt": (1, r"on_trade raised KeyboardInterrupt"),
    "shout": (2, r"on_trade raised ValueError: (no)+"),
    "hoard_state": (3, r"its state is above \[guards\] state_mb = 16"),
}

RESTARTS: Final = {
    "spin": 1,
    "backtrack": 1,
    "leave": 1,
    "kill_itself": 1,
    "leave_later": 1,
    "crash": CRASHES,
    "leave_natively": DEATHS_IN_A_CALL,
}


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


def bad(deed: str, minute: float, symbols: list[str], *, until: float = inf, on_second: bool = False) -> str:
    return BAD.format(deed=deed, symbols=symbols, minute=minute, until=until, on_second=str(on_second).lower())


def run(plan: str, folder: Path, head: RayHead) -> tuple[list[str], int]:
    """Run a plan with bad strategies to its end; its problems and the restarts, once all else is as it should be.

    Restarts of a shard that had no time from a loaded machine do not count.
    """
    (folder / "plan.toml").write_text(plan)
    desk = RunningDesk(folder / "plan.toml", folder / "run", head.environment, "--address", head.address)
    with closing(desk):
        status, _, err = desk.finish()
    assert status == 0, err
    summary = desk.summary()
    assert summary["balanced"]
    assert not summary["ok"]
    assert not list(SHARED_MEMORY.glob(f"raydesk-*-{summary['started_ns']:x}"))
    starved = len(re.findall(r"consumer-\d+: it has made no progress for [\d.]+ s, outside of strategies", desk.log()))
    return summary["problems"], sum(consumer["restarts"] for consumer in summary["consumers"]) - starved


@pytest.mark.parametrize(
    "deeds",
    [
        ("spin", "shout", "hoard", "crash", "leave_later", "start_daemon", "hoard_state"),
        pytest.param(tuple(ON_SYMBOLS), marks=pytest.mark.trial),
    ],
    ids=["one of each kind", "all"],
)
def test_whatever_strategies_do_they_are_stopped_and_named_and_all_else_is_as_without_them(
    deeds: Sequence[str], ray_head: RayHead, undisturbed: Path, tmp_path: Path
) -> None:
    strategies = [bad(deed, 1 + minute / 2, [f"SYN{ON_SYMBOLS[deed][0]:04}"]) for minute, deed in enumerate(deeds)]

    problems, restarts = run(PLAN + "".join(strategies), tmp_path, ray_head)

    assert len(problems) == len(deeds), problems
    for deed in deeds:
        symbol, why = ON_SYMBOLS[deed]
        (problem,) = [problem for problem in problems if problem.startswith(f"strategy {deed} ")]
        first, *trace = problem.splitlines()
        assert re.fullmatch(f"strategy {deed} was stopped for SYN{symbol:04}: {why}", first), problem
        assert any("misbehaving_strategy.py" in line for line in trace) == ("raised" in why)
    assert restarts == sum(RESTARTS.get(deed, 0) for deed in deeds)
    assert_same_results(tmp_path / "run", undisturbed)


@pytest.mark.trial
def test_a_tick_on_which_the_process_dies_outside_of_strategies_is_left_out_and_named(
    ray_head: RayHead, tmp_path: Path
) -> None:
    problems, restarts = run(PLAN + bad("vanish", 4, ["SYN0002"], until=4 + 0.5 / 60), tmp_path, ray_head)

    (problem,) = problems
    assert re.fullmatch(r"shard \d died on Trade\(.*'SYN0002'.*\).*: it was left out", problem), problem
    assert restarts == 2 + DEATHS_OF_A_TICK


@pytest.mark.trial
def test_strategies_that_are_bad_on_every_symbol_at_the_same_mark_are_stopped_on_all_after_a_few(
    ray_head: RayHead, undisturbed: Path, tmp_path: Path
) -> None:
    symbols = [f"SYN{number:04}" for number in range(6)]
    strategies = [bad("spin", 3, symbols[:4], on_second=True), bad("leave", 3, symbols[:4], on_second=True)]

    problems, restarts = run(PLAN + "".join(strategies), tmp_path, ray_head)

    named = set(re.findall(r"strategy (\w+) was stopped for ([\w ]+): .*in on_second", "\n".join(problems)))
    for deed in ("leave", "spin"):
        assert (deed, "all symbols") in named
        assert len({symbol for name, symbol in named if name == deed} & {*symbols[:4]}) == MOST_SYMBOLS - 1
    assert restarts <= 2 * (MOST_SYMBOLS + 1)
    assert_same_results(tmp_path / "run", undisturbed)


ELSEWHERE: Final = """
import sys, time
from actors.ray_cluster.cluster import Cluster
from actors.driver.watchdog import on_other_nodes
from desk.process.breadcrumbs import Breadcrumb, BreadcrumbTrail, read_breadcrumb, remove_trails
cluster = Cluster(sys.argv[1], 0, "elsewhere")
desk = f"raydesk-elsewhere-{time.time_ns():x}"
trail = BreadcrumbTrail.create(desk, "consumer-00", 1)
trail.cells[0] = trail.register("s", "A")
end_s = time.monotonic() + 60
found = []
while len(found) < 2 and time.monotonic() < end_s:  # a first call starts processes
    found = on_other_nodes(cluster.other_nodes, read_breadcrumb, desk, "consumer-00", 1)
print(found == [Breadcrumb("s", "A", "on_second")] * 2)
remove_trails(desk)
cluster.close()
"""


@pytest.mark.trial
def test_trails_are_read_on_the_other_nodes() -> None:
    with NodeCluster() as nodes:
        nodes.add(1)
        nodes.add(1)

        asked = subprocess.run(
            [sys.executable, "-c", ELSEWHERE, nodes.address],
            cwd=ROOT,
            env=nodes.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert asked.stdout.split("\n")[0] == "True", asked.stderr
