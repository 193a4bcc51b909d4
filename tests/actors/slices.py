"""The plans of the tests here: real ticks of fifteen minutes through all that a desk has, and an endless session."""

from pathlib import Path
from typing import Final

from desk.model.units import SECOND_NS

START_NS: Final = 1_381_152_600 * SECOND_NS
"""2013-10-07 09:30:00 in New York."""

SLICE: Final = """
[session]
name = "slice"
start = "09:30"
stop = "09:45"
[feed]
kind = "tape"
path = "{tape}"
symbols = ["AIG", "SPY"]
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


def write_slice(plan: Path, shared_data: Path, more: str = "") -> Path:
    """Write the plan, with more tables at its end."""
    plan.write_text(SLICE.format(tape=shared_data / "us-2013-10-07.parquet") + more)
    return plan


def minute_ns(minute: float) -> int:
    """Session time so many minutes after the slice's start."""
    return START_NS + round(60 * minute * SECOND_NS)
