"""Run folders with special characters, and params that JSON cannot represent, through a crash and a resume."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from desk.runs import RunFolder

PLAN = """
[session]
name = "odd"
calendar = "24/7"
[feed]
kind = "synthetic"
synthetic = { symbols = 3, minutes = 1, events_per_s = 20 }
symbols = ["*"]
[results]
url = "RESULTS"
[[strategies]]
use = "mortal:Mortal"
params = { stop = inf, worst = nan, until = 15:45:00, day = 2026-01-05, at = 2026-01-05T09:30:00-05:00, big = BIG }
[[strategies]]
name = "free"
use = "mortal:Mortal"
params = { any = { a = -inf, b = [nan, 15:45:00], "$float" = "inf" } }
"""
STRATEGY = """
import os
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from desk import strategy

class Mortal(strategy.Strategy):
    class Params(strategy.Params, frozen=True):
        stop: float = 0.0
        worst: float = 0.0
        until: time = time(16)
        day: date = date(2000, 1, 1)
        at: datetime = datetime(2000, 1, 1)
        big: Any = 0
        any: dict[str, Any] = {}

    def on_second(self, ctx):
        if (ctx.now_ns - ctx.session_start_ns) // 10**9 == 30:
            with Path("params").open("a") as file:
                file.write(repr(self.params) + "\\n")
            if not Path("died").exists():
                Path("died").touch()
                os._exit(9)
"""
NAMES = ("a?b%20c#d é€{run_dir}\n'u\"o&<i>[1]*", "x" * 200)


def desk(folder: Path, *args: str | Path) -> subprocess.CompletedProcess[str]:
    project = Path(__file__).parents[2]
    code = f"import sys; sys.path[0] = {str(project)!r}; from console.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_resumed_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "mortal.py").write_text(STRATEGY)
    plan = PLAN.replace("RESULTS", f"file://{tmp_path}/results").replace("BIG", str(10**30))
    (tmp_path / "plan.toml").write_text(plan)
    folder = RunFolder(tmp_path / "runs" / name)

    died = desk(tmp_path, "run", "plan.toml", "--in-process", "--quiet", "--run-dir", folder.dir)
    resumed = desk(tmp_path, "run", "--resume", folder.dir, "--quiet")

    assert died.returncode == 9, died.stderr
    assert resumed.returncode == 0, resumed.stderr
    (last,) = resumed.stdout.splitlines()
    assert last.startswith("ok · balanced · ")
    first, *others = (tmp_path / "params").read_text().splitlines()
    assert first in others
    assert json.loads(folder.summary.read_text())["run_id"] == name
    copied = tmp_path / "results" / name
    for file in (folder.bars, folder.decisions, folder.ledger, folder.report, folder.log, folder.summary):
        assert file.is_file()
        assert (copied / file.name).is_file()
    assert pq.read_table(folder.bars).equals(pq.read_table(copied / folder.bars.name))
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir() and path.name != "__pycache__") == [
        "results",
        "runs",
    ]
