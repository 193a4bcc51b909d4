"""Starts a desk as a process of its own, as a user does."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pyarrow.parquet as pq
from log_lines import readable
from session_ray import BIN, ROOT, wait_until

from desk.checkpoint import KeeperStore
from desk.model.units import SECOND_NS

END_DEADLINE_S = 150.0
RUNS_IN = re.compile(r"(\S+) runs in process (\d+) on ")
LEDGER = (
    "SELECT client_order_id, status, filled, average_price FROM orders ORDER BY 1",
    "SELECT client_order_id, number, quantity, price, fee FROM fills ORDER BY 1, 2",
)

Row = tuple[Any, ...]


class RunningDesk:
    """`desk run PLAN` in the background; its actors' process ids stand in desk.log.

    Whatever is waited for has to happen within `deadline_s`. What it prints goes to files: a desk whose processes are
    killed over and over has more to print than a pipe holds.
    """

    def __init__(
        self, plan: Path, run_dir: Path, environment: dict[str, str], *flags: str, deadline_s: float = END_DEADLINE_S
    ) -> None:
        self._start(run_dir, environment, deadline_s, str(plan), "--run-dir", str(run_dir), *flags)

    @classmethod
    def resumed(
        cls, run_dir: Path, environment: dict[str, str], *flags: str, deadline_s: float = END_DEADLINE_S
    ) -> Self:
        """`desk run --resume RUN_DIR` in the background."""
        desk = cls.__new__(cls)
        desk._start(run_dir, environment, deadline_s, "--resume", str(run_dir), *flags)
        return desk

    def _start(self, run_dir: Path, environment: dict[str, str], deadline_s: float, *arguments: str) -> None:
        self._launch([BIN / "desk", "run", *arguments], ROOT, run_dir, environment, deadline_s)

    def _launch(
        self, command: list[Path | str], cwd: Path, run_dir: Path, environment: dict[str, str], deadline_s: float
    ) -> None:
        self.run_dir = run_dir
        self.deadline_s = deadline_s
        folder = Path(tempfile.mkdtemp(prefix="printed-", dir=run_dir.parent))
        self._out, self._err = folder / "out", folder / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        log = run_dir / "desk.log"
        self._log_before = log.stat().st_size if log.exists() else 0

    @property
    def ended(self) -> bool:
        """Whether its driver has come to its end."""
        return self.process.poll() is not None

    def log(self) -> str:
        """Level and event of each line that this process has written into desk.log."""
        path = self.run_dir / "desk.log"
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(self._log_before)
            return readable(file.read().decode())

    def started(self) -> dict[str, list[int]]:
        """The process ids by actor name of all incarnations so far, in their order."""
        found: dict[str, list[int]] = {}
        for name, pid in RUNS_IN.findall(self.log()):
            found.setdefault(name, []).append(int(pid))
        return found

    def pids(self) -> dict[str, int]:
        """Process ids by actor name, the newest incarnation's, once every actor has answered."""
        wait_until(lambda: "producer" in self.started() or self.ended, self.deadline_s, "the start of the desk")
        return {name: pids[-1] for name, pids in self.started().items()}

    def kill(self, name: str) -> int:
        """End the newest incarnation that is known of an actor, as SIGKILL does; which process that was."""
        pid = self.pids().get(name)
        assert pid is not None, self.finish()[2]
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_successor(self, name: str, dead: int) -> None:
        """Wait until the log tells of another process than the dead one, unless the desk ended meanwhile."""
        wait_until(lambda: self.pids()[name] != dead or self.ended, self.deadline_s, f"a successor of {name}")

    def checkpoints(self) -> dict[int, int]:
        """The session time of each shard's last checkpoint, in ns."""
        folder = self.run_dir / "keeper"
        if not folder.exists():
            return {}
        store = KeeperStore(folder)
        kept = {shard: store.latest(shard) for shard in store.shards()}
        return {shard: checkpoint.session_ns for shard, checkpoint in kept.items() if checkpoint is not None}

    def mark_ns(self) -> int:
        """The session time up to which every shard has a checkpoint; 0 before the first."""
        return min(self.checkpoints().values(), default=0)

    def wait_for_mark(self, mark_ns: int) -> None:
        """Wait until every shard has a checkpoint at this session time or later."""
        wait_until(
            lambda: self.mark_ns() >= mark_ns or self.ended,
            self.deadline_s,
            f"second {mark_ns // SECOND_NS} of the session",
        )

    def wait_for_ticks(self) -> None:
        """Wait until checkpoints are being written: the session is under way."""
        self.wait_for_mark(1)

    def finish(self) -> tuple[int, str, str]:
        """Exit status, stdout and stderr, once it has ended."""
        self.process.wait(timeout=self.deadline_s)
        return self.process.returncode, self._out.read_text(), self._err.read_text()

    def summary(self) -> dict[str, Any]:
        """What summary.json says."""
        figures: dict[str, Any] = json.loads((self.run_dir / "summary.json").read_text())
        return figures

    def close(self) -> None:
        """End it if it still runs."""
        self.process.kill()
        self.process.wait()


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def assert_same_results(run_dir: Path, other: Path) -> None:
    """Bars, decisions, orders and fills of two runs are equal."""
    for name in ("bars.parquet", "decisions.parquet"):
        assert pq.read_table(run_dir / name).equals(pq.read_table(other / name)), name
    for table, here, there in zip(("orders", "fills"), orders_and_fills(run_dir), orders_and_fills(other), strict=True):
        assert here == there, difference(table, here, there)


def difference(table: str, here: Sequence[Row], there: Sequence[Row]) -> str:
    """The rows that only one of two runs has, one a line."""
    only = [f"only in the first: {row}" for row in here if row not in there]
    only += [f"only in the second: {row}" for row in there if row not in here]
    return "\n".join([f"{table}: {len(here)} and {len(there)} rows", *only])


def orders_and_fills(run_dir: Path) -> list[list[Row]]:
    """What a run's ledger holds of orders and of fills."""
    book = sqlite3.connect(f"file:{run_dir / 'ledger.db'}?mode=ro", uri=True)
    try:
        return [book.execute(query).fetchall() for query in LEDGER]
    finally:
        book.close()


def assert_accounts_hold(summary: dict[str, Any]) -> None:
    """The run is ok, and every tick received was applied: nothing was lost and nothing counted twice."""
    assert summary["ok"], summary["problems"]
    assert summary["balanced"]
    for kind in ("trades", "quotes"):
        counts = summary["ticks"][kind]
        assert counts["received"] == counts["applied"] + sum(counts["rejected"].values()), kind
        assert not counts["dropped"], kind
