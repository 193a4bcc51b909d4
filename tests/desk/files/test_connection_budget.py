"""Connections of a key are shared between processes: a second desk is refused, and no death leaves a lock behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from desk.files.connection_budget import ConnectionBudget, connection_budget
from desk.model.errors import RunFailed

KEY, ENDPOINT = "PK-the-key-itself", "wss://stream.example/v2/iex"
HOLDER = """
import sys
from pathlib import Path
from desk.files.connection_budget import ConnectionBudget
budget = ConnectionBudget(sys.argv[1], sys.argv[2], 1, "the first desk", Path(sys.argv[3]))
print(budget.acquire(1_700_000_000_000_000_000), flush=True)
sys.stdin.read()
"""


def a_budget(folder: Path, connections: int = 1, key: str = KEY, endpoint: str = ENDPOINT) -> ConnectionBudget:
    return ConnectionBudget(key, endpoint, connections, "this desk", folder / "connections")


def test_one_connection_is_held_once_and_free_after_its_release(tmp_path: Path) -> None:
    first, second = a_budget(tmp_path), a_budget(tmp_path)

    assert first.acquire(1)
    assert first.acquire(2)
    assert not second.acquire(3)
    first.release()
    assert second.acquire(4)
    second.release()


def test_another_key_and_another_endpoint_have_budgets_of_their_own(tmp_path: Path) -> None:
    held = [
        a_budget(tmp_path),
        a_budget(tmp_path, key="PK-other"),
        a_budget(tmp_path, endpoint="wss://stream.example/o"),
    ]

    assert all(budget.acquire(1) for budget in held)

    for budget in held:
        budget.release()


def test_a_venue_that_allows_two_gives_two(tmp_path: Path) -> None:
    budgets = [a_budget(tmp_path, connections=2) for _ in range(3)]

    assert [budget.acquire(1) for budget in budgets] == [True, True, False]

    for budget in budgets:
        budget.release()


def test_a_second_process_is_refused_with_the_reason_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    budget = a_budget(tmp_path)
    command = [sys.executable, "-c", HOLDER, KEY, ENDPOINT, str(tmp_path / "connections")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "True\n"

        granted = budget.acquire(2)
        refusal = budget.refusal("the stream")
        first.send_signal(signal.SIGKILL)
        first.wait()
        after = budget.acquire(3)

    assert (granted, after) == (False, True)
    assert isinstance(refusal, RunFailed)
    assert refusal.exit_status == 1
    assert f"desk 'the first desk', process {first.pid}, since 2023-11-14 22:13:20 UTC" in str(refusal)
    budget.release()


def test_a_forked_child_that_outlives_its_parent_holds_no_lock(tmp_path: Path) -> None:
    budget = a_budget(tmp_path)
    assert budget.acquire(1)
    read_end, write_end = os.pipe()
    ready_read, ready_write = os.pipe()

    child = os.fork()
    if not child:
        os.close(write_end)
        os.write(ready_write, b"1")
        os.read(read_end, 1)  # until the parent has closed its end
        os._exit(0)
    os.close(read_end)
    os.read(ready_read, 1)
    budget.release()
    other = a_budget(tmp_path)
    free = other.acquire(2)
    for descriptor in (write_end, ready_read, ready_write):
        os.close(descriptor)
    os.waitpid(child, 0)

    assert free
    other.release()


def test_neither_name_nor_content_of_a_lock_has_the_key_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    budget = a_budget(tmp_path)
    budget.acquire(1)

    (path,) = (tmp_path / "connections").iterdir()

    assert KEY not in path.name
    assert KEY.encode() not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    budget.release()


def test_the_locks_are_in_the_state_folder_and_no_limit_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYDESK_STATE_DIR", str(tmp_path))
    limited = connection_budget(KEY, ENDPOINT, 1, "desk")
    assert limited is not None
    limited.acquire(1)

    assert len(list((tmp_path / "connections").iterdir())) == 1
    assert connection_budget(KEY, ENDPOINT, 0, "desk") is None
    limited.release()
