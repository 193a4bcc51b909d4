"""The user's state key: created once, private, and refused where others can read or write it."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from desk.model.errors import PlanError, RunFolderError
from desk.runs.state_key import FILE, find_state_key, make_state_key

MAKE = "from desk.runs.state_key import make_state_key; print(make_state_key().secret.hex())"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder that does not exist yet."""
    monkeypatch.delenv("RAYDESK_STATE_KEY", raising=False)
    monkeypatch.setenv("RAYDESK_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def test_it_is_made_at_the_first_use_and_found_again(state: Path) -> None:
    before = os.umask(0)
    try:
        key = make_state_key()
    finally:
        os.umask(before)

    assert (key.note, len(key.secret)) == ("", 32)
    assert make_state_key() == find_state_key() == key
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert [(path.name, stat.S_IMODE(path.stat().st_mode)) for path in state.iterdir()] == [(FILE, 0o600)]
    assert key.secret.hex() not in repr(key)


def test_desks_that_start_at_once_have_one_key(state: Path) -> None:
    def make(_: int) -> str:
        return subprocess.run([sys.executable, "-c", MAKE], capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(make, range(4)))) == 1


def test_its_place_follows_the_xdg_specification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    monkeypatch.delenv("RAYDESK_STATE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", "relative/ignored")
    make_state_key()
    assert (tmp_path / "home" / ".local" / "state" / "raydesk" / FILE).exists()

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    make_state_key()
    assert (tmp_path / "xdg" / "raydesk" / FILE).exists()


def test_the_environment_goes_before_the_file_and_needs_none(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYDESK_STATE_KEY", "x" * 32)

    assert make_state_key().secret == find_state_key().secret == b"x" * 32
    assert not state.exists()


def test_a_short_key_in_the_environment_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYDESK_STATE_KEY", "swordfish")

    with pytest.raises(PlanError, match="a key of 9 characters") as caught:
        make_state_key()
    assert "swordfish" not in str(caught.value)


def test_where_no_key_can_be_kept_the_run_has_one_of_its_own_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RAYDESK_STATE_DIR", str(tmp_path / "file" / "state"))

    key = make_state_key()

    assert "this run cannot be resumed" in key.note
    assert key.secret != make_state_key().secret
    with pytest.raises(RunFolderError, match="no state key"):
        find_state_key()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_key_that_others_can_read_or_write_is_refused(state: Path, mode: int) -> None:
    make_state_key()
    (state / FILE).chmod(mode)

    with pytest.raises(RunFolderError, match=f"mode {mode:04o}"):
        make_state_key()


def test_a_folder_that_others_can_write_is_refused_and_one_they_can_read_is_tightened(state: Path) -> None:
    make_state_key()
    state.chmod(0o755)
    find_state_key()
    assert stat.S_IMODE(state.stat().st_mode) == 0o700

    state.chmod(0o770)
    with pytest.raises(RunFolderError, match="mode 0770"):
        find_state_key()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_key_of_another_user_is_refused(state: Path) -> None:
    make_state_key()
    os.chown(state / FILE, 65534, 65534)

    with pytest.raises(RunFolderError, match="owner 65534"):
        find_state_key()


@pytest.mark.parametrize("content", [b"", b"ab" * 31, b"x" * 64, b"\xff" * 64])
def test_a_file_that_holds_no_key_is_refused(state: Path, content: bytes) -> None:
    make_state_key()
    (state / FILE).write_bytes(content)

    with pytest.raises(RunFolderError, match="it holds no state key"):
        make_state_key()


def test_neither_a_link_nor_a_pipe_is_read(state: Path) -> None:
    make_state_key()
    (state / FILE).rename(state / "elsewhere")
    (state / FILE).symlink_to("elsewhere")
    with pytest.raises(RunFolderError):
        make_state_key()

    (state / FILE).unlink()
    os.mkfifo(state / FILE, 0o600)
    with pytest.raises(RunFolderError):
        make_state_key()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_stands_in_the_place_of_the_key_is_named(state: Path, make: Callable[[Path, int], None]) -> None:
    state.mkdir(0o700)
    make(state / FILE, 0o600)

    with pytest.raises(RunFolderError) as refused:
        make_state_key()

    assert (refused.value.place, refused.value.found) == (str(state / FILE), "it holds no state key")


def test_a_file_in_the_place_of_the_state_folder_stays_as_it_is(state: Path) -> None:
    state.touch(0o644)

    assert "Not a directory" in make_state_key().note
    assert stat.S_IMODE(state.stat().st_mode) == 0o644
