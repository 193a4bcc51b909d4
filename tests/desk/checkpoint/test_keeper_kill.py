"""After kill -9 at any moment the keeper's files are consistent and have everything that it confirmed."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from desk.checkpoint import KeeperStore
from desk.model.checkpoint import Checkpoint

PROJECT = Path(__file__).parents[3]

WRITER = """
import sys
from pathlib import Path
from desk.checkpoint import KeeperStore
from desk.model.bars import Bar
from desk.model.checkpoint import Checkpoint, pack_bars

store = KeeperStore(Path(sys.argv[1]))
last = store.latest(0)
for number in range(last.number + 1 if last else 1, 1_000_000):
    bars = [Bar("SPY", number, volume=float(number)), Bar("LAST", 0, volume=float(number))]
    store.save(Checkpoint(0, int(sys.argv[2]), number, number, number, pack_bars(bars), bytes([number % 256]) * 50_000))
    print(number, flush=True)
"""


PRODUCER = """
import sys
from pathlib import Path
from desk.checkpoint import KeeperStore
from desk.model.checkpoint import ProducerState
from desk.model.feed_position import FeedPosition

store = KeeperStore(Path(sys.argv[1]))
last = store.producer()
for mark in range(last.mark_ns + 1 if last else 1, 1_000_000):
    content = bytes([mark % 256]) * 50_000
    assert store.save_producer(ProducerState(int(sys.argv[2]), FeedPosition(mark), None, content, content))
    print(mark, flush=True)
"""


def confirmed_until_killed(folder: Path, epoch: int, saves: int, program: str = WRITER) -> int:
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(folder), str(epoch)], stdout=subprocess.PIPE, text=True, cwd=PROJECT
    )
    assert writer.stdout is not None
    seen = [int(writer.stdout.readline()) for _ in range(saves)]
    writer.kill()
    # The last line may be torn as well: only whole lines are confirmations.
    seen += [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    writer.stdout.close()
    writer.wait()
    return seen[-1]


@pytest.mark.parametrize("seed", [1, 2])
def test_successive_kills_leave_a_prefix_with_all_that_was_confirmed(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    for epoch in range(1, 5):
        confirmed = confirmed_until_killed(tmp_path, epoch, rng.randrange(1, 60))

        store = KeeperStore(tmp_path)
        last = store.latest(0)
        assert isinstance(last, Checkpoint)
        assert last.epoch == epoch
        assert confirmed <= last.number <= confirmed + 1
        assert last.state == bytes([last.number % 256]) * 50_000
        volumes = {(bar.symbol, bar.minute_ns): bar.volume for bar in store.bars()}
        expected = {("SPY", number): float(number) for number in range(1, last.number + 1)}
        assert volumes == expected | {("LAST", 0): float(last.number)}


@pytest.mark.parametrize("seed", [3, 4])
def test_a_kill_leaves_the_producer_state_confirmed_last_or_the_next_one_whole(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    for epoch in range(1, 5):
        confirmed = confirmed_until_killed(tmp_path, epoch, rng.randrange(1, 60), PRODUCER)

        state = KeeperStore(tmp_path).producer()
        assert state is not None
        assert state.epoch == epoch
        assert confirmed <= state.mark_ns <= confirmed + 1
        assert state.subscriptions == state.table == bytes([state.mark_ns % 256]) * 50_000
