"""200 stops at random moments of a session, half of them right after a kill. `make trials` prints the seeds.

FIRST_SEED and STOPS choose others.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "actors"))

from random_stops import LIVE, LOCKSTEP, PACED, stop_many
from session_ray import BIN, RayHead, clean_environment, ray_head, wait_until

__all__ = ["ray_head"]
pytestmark = [pytest.mark.trial, pytest.mark.ray]

FIRST = int(os.environ.get("FIRST_SEED", "0"))
STOPS = int(os.environ.get("STOPS", "200"))
VENUE_DEADLINE_S = 60.0


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[str]:
    """The stream of a venue that plays a made-up market over and over."""
    port = tmp_path / "port"
    options = ["--symbols", "20", "--events-per-s", "200", "--connection-limit", "100", "--restamp", "--loop"]
    command = [BIN / "desk", "venue", "--port", "0", "--port-file", port, *options]
    with (tmp_path / "venue").open("wb") as said:
        process = subprocess.Popen(command, env=clean_environment(), stdout=said, stderr=said)
    try:
        wait_until(lambda: port.exists() and bool(port.read_text()), VENUE_DEADLINE_S, "the start of the venue")
        yield f"ws://127.0.0.1:{port.read_text().strip()}/v2/iex"
    finally:
        process.terminate()
        process.wait()


def test_two_hundred_stops_are_balanced(ray_head: RayHead, venue: str, tmp_path: Path) -> None:
    plans = {}
    for name, text in (("paced", PACED), ("lockstep", LOCKSTEP), ("live", LIVE.replace("URL", venue))):
        plans[name] = tmp_path / f"{name}.toml"
        plans[name].write_text(text)

    stops = stop_many(list(range(FIRST, FIRST + STOPS)), plans, tmp_path, ray_head, partial(print, flush=True))

    assert [str(stop) for stop in stops if stop.fault] == []
