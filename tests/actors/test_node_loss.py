"""A node dies, and its shards are restarted on other nodes."""

from contextlib import closing
from pathlib import Path

import pytest
from desk_process import RunningDesk, assert_accounts_hold, assert_same_results
from node_cluster import NodeCluster
from session_ray import wait_until
from slice_plans import minute_ns

pytestmark = pytest.mark.ray

CONSUMERS = ["--consumers", "4"]


@pytest.mark.parametrize("room", ["before", pytest.param("after", marks=pytest.mark.trial)])
def test_shards_of_a_lost_node_continue_elsewhere_as_soon_as_there_is_room(
    room: str, slice_plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    with NodeCluster() as nodes:
        nodes.add(1)
        nodes.add(1)
        flags = ["--address", nodes.address, *CONSUMERS]
        with closing(RunningDesk(slice_plan, tmp_path / "run", nodes.environment, *flags)) as desk:
            desk.wait_for_mark(minute_ns(2))
            before = desk.pids()
            if room == "before":
                nodes.add(1)

            nodes.remove(0)
            if room == "after":
                wait_until(lambda: desk.log().count("a successor is started") == 2 or desk.ended, 60.0, "the notice")
                nodes.add(1)
            status, _, err = desk.finish()

            assert status == 0, err
            moved = {name for name, pid in desk.pids().items() if pid != before[name]}
            assert len(moved) == 2
            assert all(name.startswith("consumer-") for name in moved)
            summary = desk.summary()
            assert_accounts_hold(summary)
            assert any("requires no token" in warning for warning in summary["warnings"])
            assert sum(consumer["restarts"] for consumer in summary["consumers"]) == 2
            assert_same_results(desk.run_dir, undisturbed)
