"""Ray announces that a node will stop, and its shards move to other nodes before it stops."""

import re
import time
from contextlib import closing
from pathlib import Path

import pytest
from desk_process import RunningDesk, assert_accounts_hold, assert_same_results
from node_cluster import NodeCluster
from session_ray import wait_until
from slice_plans import minute_ns

from actors.ray_cluster.draining import DrainingNodes

DEADLINE_S = 60
LEAVES = re.compile(r"(consumer-\d\d): its node (\w{8}) is drained, and will stop in (\d+) s")


class Notices:
    """What the cluster says of its draining nodes, and how often it was asked."""

    def __init__(self) -> None:
        self.deadlines_ms: dict[str, int] = {}
        self.asked = 0

    def __call__(self) -> dict[str, int]:
        self.asked += 1
        return self.deadlines_ms


def test_a_shard_on_a_node_that_stops_is_reported_once_and_again_if_it_comes_back_to_another_such_node() -> None:
    notices = Notices()
    draining = DrainingNodes(notices, look_every_s=0.0)
    nodes = {"consumer-00": "a" * 16, "consumer-01": "b" * 16}
    assert draining.leaving(nodes) == []

    notices.deadlines_ms = {"b" * 16: 0, "c" * 16: 0}

    assert draining.leaving(nodes) == [("consumer-01", "its node bbbbbbbb is drained, and will stop")]
    assert draining.leaving(nodes) == []
    assert draining.leaving(nodes | {"consumer-01": "c" * 16}) == [
        ("consumer-01", "its node cccccccc is drained, and will stop")
    ]


@pytest.mark.parametrize(
    ("left_s", "told"), [(100.0, r"and will stop in (100|99|9\d) s"), (-100.0, "and will stop in 0 s")]
)
def test_the_deadline_is_reported_in_seconds_from_now(left_s: float, told: str) -> None:
    notices = Notices()
    notices.deadlines_ms = {"a" * 16: round((time.time() + left_s) * 1000)}

    [(name, why)] = DrainingNodes(notices, look_every_s=0.0).leaving({"consumer-00": "a" * 16})

    assert name == "consumer-00"
    assert re.fullmatch(f"its node aaaaaaaa is drained, {told}", why)


def test_the_cluster_is_asked_now_and_then_only() -> None:
    notices = Notices()
    draining = DrainingNodes(notices, look_every_s=3_600.0)

    for _ in range(3):
        draining.leaving({})

    assert notices.asked == 1


@pytest.mark.ray
@pytest.mark.trial
def test_shards_leave_a_node_before_it_goes_and_the_results_are_the_same(
    slice_plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    with NodeCluster() as nodes:
        nodes.add(1)
        nodes.add(1)
        flags = ["--address", nodes.address, "--consumers", "4"]
        with closing(RunningDesk(slice_plan, tmp_path / "run", nodes.environment, *flags)) as desk:
            desk.wait_for_mark(minute_ns(2))
            before = desk.pids()
            nodes.add(1)

            nodes.drain(0, DEADLINE_S)
            wait_until(lambda: len(moved(desk, before)) == 2 or desk.ended, DEADLINE_S, "the shards' leaving")
            status, _, err = desk.finish()

            assert status == 0, err
            leaves = LEAVES.findall(desk.log())
            assert len(leaves) == 2
            assert {name for name, _, _ in leaves} == moved(desk, before)
            assert len({node for _, node, _ in leaves}) == 1
            summary = desk.summary()
            assert_accounts_hold(summary)
            assert sum(consumer["restarts"] for consumer in summary["consumers"]) == 2
            assert_same_results(desk.run_dir, undisturbed)


def moved(desk: RunningDesk, before: dict[str, int]) -> set[str]:
    """Who has another process than then."""
    return {name for name, pid in desk.pids().items() if pid != before[name]}
