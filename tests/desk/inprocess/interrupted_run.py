"""A run that was interrupted, in one process and in its own project folder, for tests of resume checks."""

import sys
from pathlib import Path
from typing import Final

from desk.config import Plan, load_plan
from desk.inprocess.in_process_desk import run_in_process
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.wiring.resume_inputs import require_same

STRATEGY: Final = """
from pathlib import Path

from desk import strategy
from desk.model.interrupts import SignalInterrupt
from PACKAGE import helper


class Trader(strategy.Strategy):
    class Params(strategy.Params, frozen=True):
        stop_file: str = ""

    params: Params

    def __init__(self, params):
        super().__init__(params)
        self.seconds = 0

    def on_second(self, ctx):
        self.seconds += 1
        stop = Path(self.params.stop_file)
        if stop.exists() and self.seconds == int(stop.read_text()):
            raise SignalInterrupt
        if self.seconds % helper.EVERY == 0 and not ctx.open_orders:
            if ctx.position.quantity:
                ctx.close()
            else:
                ctx.buy(1)
"""
HELPER: Final = "EVERY = 20\n"
PLAN: Final = """
[session]
name = "broken"
start = "09:30"
stop = "09:40"
[feed]
kind = "tape"
path = "{tape}"
symbols = ["SYN0000", "SYN0001", "SYN0002", "SYN0003"]
[flow]
checkpoint_s = 0.02
[consumers]
count = 2
[guards]
strategy_budget_ms = 60000
[[strategies]]
use = "{package}.trading:Trader"
params = {{ stop_file = "{stop_file}" }}
"""


class Project:
    """A plan with a strategy of its own, and the run of it that was broken off in `run_dir`."""

    def __init__(self, folder: Path, tape: Path, package: str) -> None:
        self.folder = folder
        self.tape = tape
        self.strategy = folder / package / "trading.py"
        self.helper = folder / package / "helper.py"
        self.strategy.parent.mkdir(parents=True)
        (self.strategy.parent / "__init__.py").touch()
        self.strategy.write_text(STRATEGY.replace("PACKAGE", package))
        self.helper.write_text(HELPER)
        self._stop = folder / "stop"
        self.plan = folder / "plan.toml"
        self.plan.write_text(PLAN.format(tape=tape, package=package, stop_file=self._stop))
        sys.path.insert(0, str(folder))
        self.run_dir = folder / "run"

    def break_off(self, seconds: int = 400) -> None:
        """Run the plan, or resume it, up to this second of its session."""
        self._stop.write_text(str(seconds))
        try:
            if self.run_dir.exists():
                resume(self.run_dir)
            else:
                folder = RunFolder.create(None, self.run_dir, "broken", 0)
                folder.plan_file = self.plan
                try:
                    run_in_process(load_plan(self.plan), folder, show=lambda _: None)
                finally:
                    folder.resume.release()
        except KeyboardInterrupt:
            return
        finally:
            self._stop.unlink()
        raise AssertionError("the run came to its end")

    def whole(self) -> RunFolder:
        """The same plan from beginning to end, in a folder of its own."""
        folder = RunFolder.create(None, self.folder / "whole", "whole", 0)
        run_in_process(load_plan(self.plan), folder, show=lambda _: None)
        return folder


def resume(run_dir: Path, *, accept: bool = False) -> tuple[Summary, RunFolder]:
    """What `desk run --resume` does, in this process."""
    folder, left = RunFolder.take_up(run_dir)
    try:
        plan = Plan.model_validate(left.plan)
        left, changes = require_same(plan, left, accept=accept)
        folder.remarks += changes
        return run_in_process(plan, folder, show=lambda _: None, resume=left), folder
    finally:
        folder.resume.release()
