"""A desk that runs as a process of its own, as a user would start it."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from heads import BIN, ROOT, wait_until

END_DEADLINE_S = 150.0


class RunningDesk:
    """`desk run PLAN` in the background; its actors' process ids stand in desk.log."""

    def __init__(self, plan: Path, run_dir: Path, environment: dict[str, str], *flags: str) -> None:
        self.run_dir = run_dir
        self.process = subprocess.Popen(
            [BIN / "desk", "run", plan, "--run-dir", run_dir, *flags],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def pids(self) -> dict[str, int]:
        """Process ids by actor name, once every actor answers."""
        log = self.run_dir / "desk.log"
        found: dict[str, int] = {}

        def started() -> bool:
            if log.exists():
                found.update(
                    (name, int(pid)) for name, pid in re.findall(r"(\S+) runs in process (\d+)", log.read_text())
                )
            return "keeper" in found or self.process.poll() is not None

        wait_until(started, END_DEADLINE_S, "the start of the desk")
        return found

    def wait_for_ticks(self) -> None:
        """Wait until checkpoints are being written: the session is under way."""
        keeper = self.run_dir / "keeper"
        wait_until(
            lambda: any(keeper.glob("*.state")) or self.process.poll() is not None,
            END_DEADLINE_S,
            "a first checkpoint",
        )

    def finish(self) -> tuple[int, str, str]:
        """Exit status, stdout and stderr, once it has ended."""
        out, err = self.process.communicate(timeout=END_DEADLINE_S)
        return self.process.returncode, out, err

    def summary(self) -> dict[str, Any]:
        """What summary.json says."""
        figures: dict[str, Any] = json.loads((self.run_dir / "summary.json").read_text())
        return figures

    def end(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
