"""A recorded day played by `desk venue` with the faults of a script, and what a desk made of it."""

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pyarrow.compute as pc
import pyarrow.parquet as pq
from running_programs import get, running, until

NS = 1_000_000_000
MINUTE_NS = 60 * NS
EXACT = ("open", "high", "low", "close", "volume", "trades")
PLAN = """
[session]
name = "faulty"
mode = "paper"
clock = "venue"
start = "{start}"
stop = "{stop}"
[feed]
kind = "alpaca"
url = "ws://127.0.0.1:{port}/v2/sip"
symbols = ["SPY", "BAC", "AIG", "IBM"]
[consumers]
count = 2
cpus = 0.5
rebalance = false
[flow]
capacity = 400000
write_timeout_ms = 60000
[guards]
max_data_latency_s = 3600.0
max_clock_skew_ms = 600000
"""


class Fault(NamedTuple):
    """One fault: its kind, its time in minutes of the exchange day since 09:30, and the rest of its keys."""

    kind: str
    minute: float | None = None
    keys: Mapping[str, Any] = MappingProxyType({})

    def toml(self) -> str:
        lines = [f'kind = "{self.kind}"']
        if self.minute is not None:
            second = round(9.5 * 3600 + 60 * self.minute)
            lines.append(f'at = "{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"')
        lines += [f"{key} = {json.dumps(value)}" for key, value in self.keys.items()]
        return "\n".join(["[[faults]]", *lines, ""])


MARKET = [
    Fault("halt", 80, {"symbols": ["BAC"], "for_s": 120}),
    Fault("luld", 78, {"symbols": ["BAC"], "down": 1.0, "up": 100.0}),
    Fault("quiet", 84, {"for_s": 180}),
]
"""The market itself is so, with faults and without."""
AN_HOUR = [
    Fault("error", None, {"code": 500, "step": "greeting", "connection": 1}),
    Fault("error", None, {"code": 406, "step": "auth", "times": 2, "connection": 2}),
    Fault("partial_subscription", None, {"share": 0.5}),
    Fault("duplicate", 30, {"for_s": 300, "share": 0.2}),
    Fault("reorder", 35, {"for_s": 240, "share": 0.2}),
    Fault("late", 40, {"for_s": 300, "share": 0.1, "delay_s": 30}),
    Fault("corrections", 45, {"for_s": 300, "share": 0.05}),
    Fault("cancels", 45, {"for_s": 300, "share": 0.05}),
    Fault("malformed", 51, {"what": "truncated"}),
    Fault("malformed", 52, {"what": "unknown_kind"}),
    Fault("malformed", 52.5, {"what": "wrong_type"}),
    Fault("cut", 53),
    Fault("no_answer", 53, {"step": "subscribe"}),
    Fault("oversized", 57),
    Fault("disconnect", 61),
    Fault("half_open", 65, {"reap_s": 90}),
    Fault("error", 73, {"code": 407}),
    Fault("encoding", 76, {"for_s": 120}),
    Fault("clock_skew", 77, {"ms": 20, "for_s": 60, "of": "clock"}),
]
"""Nineteen faults from 09:58 to 11:00."""
SLICE = ("09:58", "11:00")
DAY = ("09:30", "16:00")


def of_a_day() -> list[Fault]:
    """The faults of an hour, four times in the day, and a mute symbol and a mute connection."""
    again = [fault._replace(minute=fault.minute + 70 * turn) for turn in (1, 2, 3) for fault in AN_HOUR if fault.minute]
    mute = [Fault("mute", 330, {"symbols": ["SPY"], "for_s": 400}), Fault("mute", 345, {"for_s": 2400})]
    return [*AN_HOUR, *again, *mute]


class Sample(NamedTuple):
    """The venue at one moment: session time, and the connections so far."""

    session_ns: int
    connections: int


class DayVenue:
    """A running venue; `samples` are taken about twice a second."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.samples: list[Sample] = []
        self._log = log

    def sample(self) -> None:
        clock = json.loads(get(f"http://127.0.0.1:{self.port}/clock"))
        self.samples.append(Sample(clock["session_ns"], self.stats()["connections"]))

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(get(f"http://127.0.0.1:{self.port}/stats"))
        return found

    def opened_between(self, from_ns: int, to_ns: int) -> int:
        """The connections that were opened in this session time."""
        inside = [sample.connections for sample in self.samples if from_ns <= sample.session_ns < to_ns]
        return inside[-1] - inside[0]


@contextmanager
def played(tape: Path, faults: list[Fault], speed: float, folder: Path) -> Iterator[DayVenue]:
    """A venue that plays the tape with these faults."""
    folder.mkdir()
    script, port_file = folder / "faults.toml", folder / "port"
    script.write_text("\n".join(["seed = 11", "", *(fault.toml() for fault in faults)]))
    market = ("--tape", tape, "--speed", speed, "--faults", script, "--port", 0, "--port-file", port_file)
    with running(sys.executable, "-m", "console.cli", "venue", *market, folder=folder / "venue"):
        venue = DayVenue(int(until(lambda: port_file.exists() and port_file.read_text(), "the venue")), folder)
        over = threading.Event()

        def follow() -> None:
            while not over.wait(0.5):
                venue.sample()

        follower = threading.Thread(target=follow)
        follower.start()
        try:
            yield venue
        finally:
            over.set()
            follower.join()


def cut(tape: Path, out: Path, from_ns: int, to_ns: int) -> Path:
    """The rows of a tape that were received in this time, as a tape."""
    table = pq.read_table(tape)
    received = table["recv_ns"]
    part = table.filter(pc.and_(pc.greater_equal(received, from_ns), pc.less(received, to_ns)))
    pq.write_table(part.replace_schema_metadata(table.schema.metadata), out)
    return out


def bars_of(run_dir: Path) -> dict[tuple[str, int], dict[str, Any]]:
    rows = pq.read_table(run_dir / "bars.parquet").to_pylist()
    return {(row["symbol"], row["minute_ns"]): row for row in rows}


def wrong_minutes(faulty: Path, clean: Path) -> list[tuple[tuple[str, int], str]]:
    """The minutes that claim to be complete or repaired and differ from the clean run's, or that it lacks."""
    ours, theirs = bars_of(faulty), bars_of(clean)
    return [
        (key, bar["flags"])
        for key, bar in sorted(ours.items())
        if bar["flags"] != "partial" and (key not in theirs or not _is_equal(bar, theirs[key]))
    ]


def missing_minutes(faulty: Path, clean: Path) -> list[tuple[str, int]]:
    """The minutes of the clean run that are absent."""
    return sorted(bars_of(clean).keys() - bars_of(faulty).keys())


def _is_equal(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    close = abs(ours["vwap"] - theirs["vwap"]) <= 1e-9 * abs(theirs["vwap"])
    return close and all(ours[name] == theirs[name] for name in EXACT)
