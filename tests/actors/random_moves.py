"""`python random_moves.py PLAN RUN_DIR ADDRESS MOVES SEED [KILLS]`: run a desk and move slots at random.

KILLS names actors, with commas: one after the other is killed, each right after a move was asked for. "supervisor"
ends this process at once. Exit status 0 once the desk has ended well.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from actors.driver.monitor import PRODUCER
from actors.driver.supervisor import Supervisor
from desk.config import load_plan
from desk.flow.routing_table import SLOTS, slot_of
from desk.report.desk_view import DeskView
from desk.runs import RunFolder

AT_ONCE = 10
SUPERVISOR = "supervisor"


class RandomMoves:
    """Asks for moves whenever there is something to show, until so many are done."""

    def __init__(self, supervisor: Supervisor, moves: int, seed: int, kills: list[str]) -> None:
        self._busy = [slot_of(symbol) for symbol in supervisor.session.market]
        self._supervisor = supervisor
        self._shards = supervisor.plan.consumers.count
        self._left = moves
        self._seen = 0
        self._random = random.Random(seed)
        self._kills = kills
        self._killed: set[int] = set()

    def __call__(self, view: DeskView) -> None:
        if view.state != "running" or view.session_ns is None:
            return
        loop = self._supervisor.stats[PRODUCER].loop
        # A successor counts anew, and has not heard of what was asked of the dead producer.
        self._left -= loop.moves - self._seen if loop.moves >= self._seen else loop.moves
        self._seen = loop.moves
        for _ in range(0 if loop.moving or self._left <= 0 else AT_ONCE):
            slots = {self._random.choice(self._busy), *self._random.sample(range(SLOTS), self._random.randint(0, 20))}
            self._supervisor.move(sorted(slots), self._random.randrange(self._shards))
        if self._kills and loop.moves:
            victim = self._kills[0]
            pid = os.getpid() if victim == SUPERVISOR else self._supervisor.pids[victim]
            if pid not in self._killed:
                del self._kills[0]
                self._killed.add(pid)
                os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Run the plan."""
    plan_path, run_dir, address, moves, seed, *kills = sys.argv[1:]
    plan = load_plan(Path(plan_path))
    folder = RunFolder.create(None, Path(run_dir), plan.session.name, time.time_ns())
    supervisor = Supervisor(plan, folder, address)
    stirring = RandomMoves(supervisor, int(moves), int(seed), kills[0].split(",") if kills else [])
    summary = supervisor.run(stirring)
    sys.exit(0 if summary.ok else 1)


if __name__ == "__main__":
    main()
