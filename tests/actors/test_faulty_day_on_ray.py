"""An hour of a recorded day played with the faults of a live venue, on Ray: what claims to be complete is right."""

from pathlib import Path

import pytest
from faulty_day import AN_HOUR, MINUTE_NS, SLICE, cut
from faulty_day_runs import OPEN_NS, play_and_compare
from session_ray import RayHead

pytestmark = pytest.mark.ray


def test_an_hour_with_faults_has_the_bars_of_one_without(ray_head: RayHead, shared_data: Path, tmp_path: Path) -> None:
    day = shared_data / "us-2013-10-07.parquet"
    tape = cut(day, tmp_path / "slice.parquet", OPEN_NS + 27 * MINUTE_NS, OPEN_NS + 91 * MINUTE_NS)

    play_and_compare(ray_head, tape, SLICE, AN_HOUR, tmp_path)
