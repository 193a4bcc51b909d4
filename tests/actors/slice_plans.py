"""Plans for tests on Ray: 15 minutes of a tape through all parts of a desk, and an endless session."""

from pathlib import Path
from typing import Final

from made_up_tape import OPEN_NS

from desk.model.units import SECOND_NS

SLICE: Final = """
[session]
name = "slice"
start = "09:30"
stop = "09:45"
[feed]
kind = "tape"
path = "{tape}"
symbols = ["SYN0000", "SYN0002"]
[flow]
checkpoint_s = 0.1
[consumers]
count = 2
cpus = 0.5
[[scanners]]
use = "strategies.scanners.top_movers:TopMovers"
every_s = 20
max_symbols = 2
params = {{ min_change = 0.0005 }}
[[strategies]]
use = "strategies.examples.opening_range:OpeningRange"
params = {{ minutes = 3 }}
[[strategies]]
use = "strategies.examples.mean_reversion:MeanReversion"
[[strategies]]
use = "strategies.examples.pressure:Pressure"
scanner = "TopMovers"
"""
ENDLESS: Final = """
[session]
name = "endless"
calendar = "24/7"
[feed]
kind = "synthetic"
speed = 2.0
synthetic = { symbols = 20, events_per_s = 200.0, minutes = 390 }
symbols = ["SYN0000", "SYN0001", "SYN0002", "SYN0003"]
[flow]
checkpoint_s = 0.1
[consumers]
count = 2
cpus = 0.5
[[scanners]]
use = "strategies.scanners.top_movers:TopMovers"
every_s = 1
params = { min_change = 0.0001 }
[[strategies]]
use = "strategies.examples.opening_range:OpeningRange"
params = { minutes = 5 }
[[strategies]]
use = "strategies.examples.mean_reversion:MeanReversion"
[[strategies]]
use = "strategies.examples.pressure:Pressure"
"""
"""A made-up market at twice real time, without lockstep, that lasts longer than any test."""


def write_slice(plan: Path, tape: Path, more: str = "") -> Path:
    """Write the plan for a tape of the synthetic morning, with more tables at its end."""
    plan.write_text(SLICE.format(tape=tape) + more)
    return plan


def minute_ns(minute: float) -> int:
    """Session time so many minutes after the slice's start."""
    return OPEN_NS + round(60 * minute * SECOND_NS)
