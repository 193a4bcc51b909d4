"""A scanner that misbehaves is named, its last answer stays in force, and the desk runs and stops without it."""

import re
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from desk_process import RunningDesk, assert_same_results
from misbehaving_strategy import SLEEP_S
from session_ray import RayHead, clean_environment, wait_until

pytestmark = pytest.mark.ray

PLAN: Final = """
[session]
name = "scanned"
[feed]
kind = "synthetic"
symbols = ["SYN0005"]
synthetic = { symbols = 6, events_per_s = 60.0, minutes = 8 }
[guards]
hang_s = 1.0
[consumers]
count = 1
cpus = 0.5
[[scanners]]
use = "strategies.scanners.top_movers:TopMovers"
every_s = 30
max_symbols = 2
params = { min_change = 0.0 }
[[strategies]]
use = "strategies.examples.opening_range:OpeningRange"
params = { minutes = 2 }
"""

BAD: Final = """
[[scanners]]
use = "tests.actors.misbehaving_scanners:MisbehavingScanner"
name = "{name}"
every_s = 30
params = {{ deed = "{deed}", minute = {minute}, symbols = ["SYN000{number}"], at_start = {at_start} }}
"""

AT_THE_END: Final = 7.0
"""Minutes from the first scan to the last but one."""

SCANNERS: Final = {
    "spin-at-start": ("spin", 0.0, r"was stopped: no progress for 1 s in load; its last answer stays"),
    "leave": (
        "leave",
        2.0,
        r"was stopped: its process was ended in scan by os\._exit\(3\) at .*; its last answer stays",
    ),
    "interrupt": ("interrupt", 3.0, r"failed: KeyboardInterrupt\nTraceback "),
    "start_daemon": ("start_daemon", 4.0, r"left process \d+ \(\S+\) running: it was killed"),
    "spin": ("spin", AT_THE_END, r"was stopped: no progress for 1 s in scan; its last answer stays"),
}


def plan_of(*, bad: bool) -> str:
    entries = [
        BAD.format(
            name=name,
            deed=deed,
            minute=minute if bad else 1e9,
            number=number,
            at_start=str(bad and name.endswith("at-start")).lower(),
        )
        for number, (name, (deed, minute, _)) in enumerate(SCANNERS.items())
        if bad or not name.endswith("at-start")  # it never had an answer
    ]
    return PLAN + "".join(entries)


def processes_left() -> list[str]:
    """The processes that a deed started and that still run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if SLEEP_S.encode() in command:
            found.append(folder.name)
    return found


def test_scanners_that_hang_leave_or_raise_are_named_and_the_others_go_on(ray_head: RayHead, tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(plan_of(bad=False))
    (tmp_path / "bad.toml").write_text(plan_of(bad=True))
    good = RunningDesk(tmp_path / "good.toml", tmp_path / "good", clean_environment(), "--in-process")
    status, _, err = good.finish()
    assert status == 0, err

    desk = RunningDesk(tmp_path / "bad.toml", tmp_path / "bad", ray_head.environment, "--address", ray_head.address)
    with closing(desk):
        status, _, err = desk.finish()

    assert status == 0, err
    summary = desk.summary()
    assert summary["balanced"]
    problems = summary["problems"]
    for name, (_, _, why) in SCANNERS.items():
        assert any(re.match(f"scanner {name} {why}", problem) for problem in problems), (name, problems)
    assert_same_results(desk.run_dir, good.run_dir)
    wait_until(lambda: not processes_left(), 30.0, "the end of every process that a scanner left")
