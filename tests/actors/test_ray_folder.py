"""The folder of the desk's own Ray: its path is short, it is private, and it is removed after the desk was killed."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from session_ray import ROOT, wait_until

from actors.driver.actor_registry import is_running
from actors.own_ray.ray_folder import MOST_BYTES, RayFolder, remove_leftovers
from desk.model.errors import PlanError


@pytest.fixture(autouse=True)
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder for temporary files, which the environment names."""
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_it_lies_where_the_environment_says_and_only_its_user_can_enter_it(parent: Path) -> None:
    folder = RayFolder()

    assert folder.path.parent == parent
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert not folder.note
    folder.remove()
    assert not list(parent.iterdir())


@pytest.mark.parametrize("variable", ["RAY_TMPDIR", "TMPDIR"])
def test_a_folder_that_is_too_long_makes_way_for_a_short_one(
    parent: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    long = parent / ("a" * MOST_BYTES)
    long.mkdir()
    monkeypatch.setenv(variable, str(long))

    folder = RayFolder()

    assert len(str(folder.path.parent)) <= MOST_BYTES
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert f"{variable}={long} is too long for sockets below it" in folder.note
    folder.remove()


@pytest.mark.parametrize("variable", ["RAY_TMPDIR", "TMPDIR"])
@pytest.mark.parametrize("said", ["/nowhere/at/all", "relative", "/dev/null"])
def test_a_folder_that_cannot_be_used_is_an_error_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, said: str
) -> None:
    monkeypatch.setenv(variable, said)

    with pytest.raises(PlanError) as error:
        RayFolder()

    assert error.value.place == f"environment, {variable}"
    assert said in error.value.found


def test_where_no_folder_can_be_made_the_variable_to_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR")

    with pytest.raises(PlanError) as error:
        RayFolder(short=("/nowhere/else",))

    assert error.value.remedy == "Set RAY_TMPDIR to such a folder."


LEFT = """
import subprocess, sys
from actors.driver.actor_registry import is_running
from actors.driver.actor_registry import is_running
from actors.own_ray.ray_folder import RayFolder
folder = RayFolder()
process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
    env={"RAY_AUTH_TOKEN_PATH": str(folder.token)}, start_new_session=True, stdout=subprocess.DEVNULL)
print(folder.path, process.pid, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_desk_left_is_removed_and_what_a_living_one_has_stays(parent: Path) -> None:
    desk = subprocess.Popen(
        [sys.executable, "-c", LEFT], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert desk.stdin is not None
    assert desk.stdout is not None
    path, pid = desk.stdout.readline().split()

    assert remove_leftovers((str(parent),)) == []

    desk.kill()
    desk.communicate()
    assert remove_leftovers((str(parent),)) == [Path(path)]
    assert not Path(path).exists()
    wait_until(lambda: not is_running(int(pid)), 10.0, "the end of its process")


def test_a_folder_that_others_may_enter_or_that_has_no_lock_is_left_alone(parent: Path) -> None:
    open_to_all, without_lock = parent / "raydesk-open", parent / "raydesk-other"
    for folder, mode in ((open_to_all, 0o755), (without_lock, 0o700)):
        folder.mkdir()
        folder.chmod(mode)
    (open_to_all / "lock").touch()
    (parent / "raydesk-link").symlink_to(without_lock)

    assert remove_leftovers((str(parent),)) == []
    assert len(list(parent.iterdir())) == 3


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder of another user's")
def test_a_folder_of_another_user_is_left_alone(parent: Path) -> None:
    folder = parent / "raydesk-theirs"
    folder.mkdir(mode=0o700)
    (folder / "lock").touch()
    os.chown(folder, 65534, 65534)

    assert remove_leftovers((str(parent),)) == []
    assert folder.exists()
