"""200 stops at random moments of a session, half of them within a second of deaths. `make trials` prints the seeds."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "actors"))

from heads import RayHead, ray_head
from stopping import LOCKSTEP, PACED, stop_many

__all__ = ["ray_head"]
pytestmark = [pytest.mark.trial, pytest.mark.ray]

FIRST = int(os.environ.get("FIRST_SEED", "0"))
STOPS = int(os.environ.get("STOPS", "200"))


def test_two_hundred_stops_are_balanced(ray_head: RayHead, tmp_path: Path) -> None:
    plans = {}
    for name, text in (("paced", PACED), ("lockstep", LOCKSTEP)):
        plans[name] = tmp_path / f"{name}.toml"
        plans[name].write_text(text)

    stops = stop_many(list(range(FIRST, FIRST + STOPS)), plans, tmp_path, ray_head)

    print(*("", *stops), sep="\n")
    assert [str(stop) for stop in stops if stop.fault] == []
