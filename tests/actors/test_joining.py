"""A desk that joins a cluster: authentication, and the death of Ray's processes on the driver's node."""

import os
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest
from desk_process import RunningDesk
from node_cluster import NodeCluster
from session_ray import RayHead, clean_environment

pytestmark = pytest.mark.ray

WITHOUT_TOKEN = [
    {"RAY_AUTH_MODE": "disabled"},
    {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64},
    {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/nowhere/token"},
]


@pytest.mark.parametrize("variables", WITHOUT_TOKEN, ids=["no authentication", "another token", "no token"])
def test_a_desk_without_the_clusters_token_is_turned_away_with_one_error(
    ray_head: RayHead, slice_plan: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    environment = clean_environment() | {"HOME": str(tmp_path)} | variables
    desk = RunningDesk(slice_plan, tmp_path / "run", environment, "--address", ray_head.address)
    with closing(desk):
        status, _, err = desk.finish()

    assert status == 3, err
    assert err.startswith(f"error: {ray_head.address}: the cluster rejects the desk: ")
    assert "RAY_AUTH_MODE=token" in err
    assert "Traceback" not in err
    assert not desk.run_dir.exists()


def raylet_of_head(session: int) -> int:
    """The raylet of the head that the process of this id has started."""
    for folder in Path("/proc").iterdir():
        try:
            command = (folder / "cmdline").read_text().split("\0")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if command[0].endswith("/raylet") and "--head" in command and parent == session:
            return int(folder.name)
    pytest.fail("the head has no raylet")


def test_a_raylet_that_dies_on_the_drivers_node_ends_the_desk_and_no_token_is_a_warning(
    endless: Path, tmp_path: Path
) -> None:
    with NodeCluster() as nodes:
        nodes.add(2)
        desk = RunningDesk(endless, tmp_path / "run", nodes.environment, "--address", nodes.address)
        with closing(desk):
            desk.wait_for_ticks()
            assert f"the cluster at {nodes.address} requires no token" in desk.log()

            os.kill(raylet_of_head(nodes.pid), signal.SIGKILL)
            killed_s = time.monotonic()
            status, _, err = desk.finish()

            assert time.monotonic() - killed_s < 10.0
            assert status == 1, err
            assert "error: Ray: its raylet has died" in err
            assert f"desk run --resume {desk.run_dir}" in err
            assert any("its raylet has died" in problem for problem in desk.summary()["problems"])
