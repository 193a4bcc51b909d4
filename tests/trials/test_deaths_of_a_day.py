"""A whole day in lockstep while its processes are killed repeatedly. `make trials` shows the figures."""

import random
import sys
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import monotonic, sleep

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "actors"))

from desk_process import RunningDesk, assert_accounts_hold, assert_same_results
from session_ray import clean_environment

pytestmark = [pytest.mark.trial, pytest.mark.ray]

OTHERS = ["producer", "broker", "ledger", "keeper"]
TIMES = 2
EVERY_S = 3.0
CONSUMERS = 2
SEED = 7
DRIVER_DIES_AT = 0.4
DAY_DEADLINE_S = 2_700.0
SESSION_S = 23_400
OPEN_NS = 1_381_152_600_000_000_000
PLAN = """
[session]
name = "day"
[feed]
kind = "tape"
path = "{tape}"
[consumers]
count = {consumers}
[[strategies]]
use = "strategies.examples.opening_range:OpeningRange"
[[strategies]]
use = "strategies.examples.mean_reversion:MeanReversion"
[[strategies]]
use = "strategies.examples.pressure:Pressure"
"""


@dataclass
class Killer:
    """Kills a random consumer each EVERY_S, and between those the others in turn.

    A consumer is killed again once it has a newer checkpoint than at its last death: a desk stops the strategies of a
    process that dies again and again without progress, and on a slow machine a restart takes longer than EVERY_S.
    """

    desk: RunningDesk
    choose: random.Random = field(default_factory=lambda: random.Random(SEED))
    killed: Counter[str] = field(default_factory=Counter)
    killed_at_ns: dict[int, int] = field(default_factory=dict)

    def run(self) -> None:
        """Kill until the desk has ended."""
        others = deque(OTHERS * TIMES)
        for beat in self._beats():
            if beat % 2:
                self._kill_consumer(self.choose.randrange(CONSUMERS))
            elif others and self._kill(others[0]):
                others.popleft()

    def _beats(self) -> Iterator[int]:
        """One each half of EVERY_S, while the desk runs."""
        self.desk.wait_for_ticks()
        end_s = monotonic() + self.desk.deadline_s
        for beat in count(1):
            due_s = monotonic() + EVERY_S / 2
            while monotonic() < due_s:
                if self.desk.ended:
                    return
                assert monotonic() < end_s, f"no end of the day within {self.desk.deadline_s:,.0f} s"
                sleep(0.02)
            yield beat

    def _kill_consumer(self, shard: int) -> None:
        reached_ns = self.desk.checkpoints()[shard]
        if reached_ns > self.killed_at_ns.get(shard, 0) and self._kill(f"consumer-{shard:02}"):
            self.killed_at_ns[shard] = reached_ns

    def _kill(self, name: str) -> bool:
        """Whether it could be killed: not where it was lately, and its successor is not up yet."""
        try:
            self.desk.kill(name)
        except ProcessLookupError:
            return False
        self.killed[name] += 1
        return True


@pytest.fixture(scope="module")
def day(day_tape: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = tmp_path_factory.mktemp("day") / "day.toml"
    plan.write_text(PLAN.format(tape=day_tape, consumers=CONSUMERS))
    return plan


@pytest.fixture(scope="module")
def undisturbed(day: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("undisturbed") / "run"
    flags = ["--in-process", "--quiet"]
    with closing(RunningDesk(day, run_dir, clean_environment(), *flags, deadline_s=DAY_DEADLINE_S)) as desk:
        status, _, err = desk.finish()
    assert status == 0, err
    return run_dir


def a_day_on_ray(day: Path, run_dir: Path) -> RunningDesk:
    return RunningDesk(day, run_dir, clean_environment(), "--quiet", deadline_s=DAY_DEADLINE_S)


def show(what: str, desk: RunningDesk) -> None:
    summary = desk.summary()
    print(f"\n{what}: {summary['wall_s']:,.1f} s, {summary['decisions']:,} decisions", end="; ")
    for kind, counts in summary["ticks"].items():
        accounted = counts["applied"] + sum(counts["rejected"].values()) + sum(counts["dropped"].values())
        print(f"{kind}: {counts['received']:,} received, {accounted:,} accounted for", end="; ")
    print(f"consumers made again {[consumer['restarts'] for consumer in summary['consumers']]}")


def test_a_day_of_deaths_is_the_day_without_them(day: Path, undisturbed: Path, tmp_path: Path) -> None:
    with closing(a_day_on_ray(day, tmp_path / "run")) as desk:
        killer = Killer(desk)
        killer.run()
        status, _, err = desk.finish()

    assert status == 0, err
    kills = ", ".join(f"{name} {times}" for name, times in sorted(killer.killed.items()))
    show(f"{killer.killed.total()} kills ({kills})", desk)
    assert_accounts_hold(desk.summary())
    assert {name: killer.killed[name] for name in OTHERS} == dict.fromkeys(OTHERS, TIMES)
    assert_same_results(desk.run_dir, undisturbed)


def test_a_day_whose_driver_is_killed_continues_to_the_same_end(day: Path, undisturbed: Path, tmp_path: Path) -> None:
    at_ns = OPEN_NS + round(DRIVER_DIES_AT * SESSION_S) * 1_000_000_000
    with closing(a_day_on_ray(day, tmp_path / "run")) as desk:
        desk.wait_for_mark(at_ns)
        desk.process.kill()
        assert desk.finish()[0] < 0

    resumed = RunningDesk.resumed(tmp_path / "run", clean_environment(), "--quiet", deadline_s=DAY_DEADLINE_S)
    with closing(resumed) as again:
        status, _, err = again.finish()

    assert status == 0, err
    show(f"driver killed at {DRIVER_DIES_AT:.0%} of the day, resumed", again)
    assert_accounts_hold(again.summary())
    assert_same_results(again.run_dir, undisturbed)
