"""The desk's own Ray is closed: to other users, to other hosts, and to programs without its token."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from desk_process import RunningDesk
from listening_sockets import descendants, host_addresses, listening
from session_ray import ROOT, clean_environment, wait_until
from slice_plans import ENDLESS

pytestmark = pytest.mark.ray

STRANGER = 65534
LOOPBACK = "127.0.0.1"
OUTSIDE = {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": "of-the-user", "RAY_AUTH_TOKEN_PATH": "/nowhere/token"}


@pytest.fixture(scope="module")
def temporary() -> Iterator[Path]:
    """A folder for temporary files, short enough for sockets below it."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def another() -> Iterator[Path]:
    """Another such folder."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def desk(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    """A desk on a Ray of its own, under way, whatever the environment says of authentication; a test kills it."""
    folder = tmp_path_factory.mktemp("closed")
    plan = folder / "endless.toml"
    plan.write_text(ENDLESS)
    desk = RunningDesk(plan, folder / "closed", clean_environment() | OUTSIDE | {"TMPDIR": str(temporary)})
    with closing(desk):
        desk.wait_for_ticks()
        assert not desk.ended, desk.finish()[2]
        yield desk


def of_ray(desk: RunningDesk) -> set[int]:
    return descendants(desk.process.pid)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_neither_another_user_nor_a_program_without_the_token_gets_in(desk: RunningDesk, temporary: Path) -> None:
    (folder,) = temporary.glob("raydesk-*")
    token = folder / "token"
    pids = of_ray(desk)
    sockets = listening(pids)

    assert len(sockets) >= 7
    assert {address for address, _ in sockets} == {LOOPBACK}
    assert {port for _, port in sockets}.isdisjoint({52365, 44217, 44227, 8265, 8080, 6379})
    unix = [str(path) for path in folder.rglob("*") if path.is_socket()]
    assert len(unix) >= 2
    tried = {
        "ports": sorted(port for _, port in sockets),
        "hosts": [*host_addresses(), "::1"],
        "sockets": unix,
        "files": [str(token), str(folder / "lock"), *(f"/proc/{pid}/environ" for pid in pids)],
    }
    stranger = subprocess.run(
        [sys.executable, Path(__file__).with_name("other_user_program.py"), str(STRANGER)],
        cwd=ROOT,
        input=json.dumps(tried),
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    assert json.loads(stranger.stdout) == []


def test_its_token_is_this_users_alone_and_in_no_environment(desk: RunningDesk, temporary: Path) -> None:
    (folder,) = temporary.glob("raydesk-*")
    token = folder / "token"

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    secret = token.read_bytes()
    assert len(secret) >= 32
    for pid in of_ray(desk):
        for name in ("environ", "cmdline"):
            assert secret not in Path(f"/proc/{pid}/{name}").read_bytes(), (pid, name)
    holders = [path for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert holders == [token]


def test_a_desk_that_is_killed_leaves_neither_processes_nor_its_folder(desk: RunningDesk, temporary: Path) -> None:
    crumbs = f"raydesk-{desk.run_dir.name}-*"
    assert list(temporary.glob("raydesk-*"))
    assert list(Path("/dev/shm").glob(crumbs))
    pids = of_ray(desk) - {desk.process.pid}
    assert len(pids) > 7

    desk.process.kill()

    wait_until(lambda: not list(temporary.glob("raydesk-*")), 10.0, "the end of its folder")
    wait_until(lambda: not list(Path("/dev/shm").glob(crumbs)), 10.0, "the end of its breadcrumbs")
    wait_until(lambda: not any(map(lives, pids)), 10.0, "the end of its processes")


def lives(pid: int) -> bool:
    """Whether it is more than an entry that its parent has not removed yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


IN_ONE_PROCESS = """
import os, sys
import ray
from actors.ray_cluster.cluster import Cluster
outside = dict(os.environ)
for _ in range(2):
    cluster = Cluster(None, 1.0, "desk")
    assert os.environ["RAY_AUTH_TOKEN_PATH"] != outside["RAY_AUTH_TOKEN_PATH"]
    assert os.environ["RAY_AUTH_MODE"] == "token" and "RAY_AUTH_TOKEN" not in os.environ
    assert ray.get(ray.remote(lambda: 7).remote(), timeout=60) == 7
    cluster.close()
    assert dict(os.environ) == outside, set(os.environ.items()) ^ set(outside.items())
    assert not os.listdir(os.environ["TMPDIR"])
print("same")
"""


def test_the_environment_is_what_it_was_and_a_second_ray_in_one_process_works(another: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS],
        cwd=ROOT,
        env=clean_environment() | OUTSIDE | {"TMPDIR": str(another)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.stdout == "same\n", done.stderr
