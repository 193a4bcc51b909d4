"""Starts a desk with random slot moves as a process of its own."""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from log_lines import log_events
from session_ray import ROOT, RayHead

MOVED = re.compile(r"move \d+: .* from shard \d+ to shard \d+ in [\d,.]+ ms")


class RandomMovesRun(NamedTuple):
    """What came of it: its exit status and stderr, and the moves that its log tells of."""

    status: int
    err: str
    moves: list[str]


def run_with_random_moves(
    plan: Path, run_dir: Path, head: RayHead, moves: int, seed: int, *kills: str, deadline_s: int = 300
) -> RandomMovesRun:
    """Run the plan to its end, or until it is killed."""
    done = subprocess.run(
        [
            *(sys.executable, str(Path(__file__).with_name("random_moves.py")), str(plan), str(run_dir), head.address),
            *(str(moves), str(seed), *([",".join(kills)] if kills else [])),
        ],
        cwd=ROOT,
        env=head.environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=deadline_s,
        check=False,
    )
    return RandomMovesRun(done.returncode, done.stderr, MOVED.findall(log_events(run_dir / "desk.log")))
