"""A recorded day played with the faults of a live venue, on Ray, also with a producer that is killed twice."""

from pathlib import Path

import pytest
from faulty_day import DAY, of_a_day
from faulty_day_runs import play_and_compare
from session_ray import RayHead

pytestmark = [pytest.mark.trial, pytest.mark.ray]


@pytest.mark.parametrize("kills_at", [(), (100.0, 250.0)], ids=["", "producer killed twice"])
def test_a_day_with_faults_has_the_bars_of_one_without(
    kills_at: tuple[float, ...], ray_head: RayHead, shared_data: Path, tmp_path: Path
) -> None:
    print(play_and_compare(ray_head, shared_data / "us-2013-10-07.parquet", DAY, of_a_day(), tmp_path, *kills_at))
