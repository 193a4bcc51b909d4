"""`desk doctor` on folders and on processes that publish themselves as a desk does."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from console.cli import app
from desk.report.desk_view import DeskView
from desk.report.live_snapshot import LiveSnapshot, encode_snapshot
from desk.report.meter_interval import ActorInterval, MeterInterval

PROJECT = Path(__file__).parents[2]
CHILD = """
import sys, threading, time
from pathlib import Path
from desk.report.desk_view import DeskView
from desk.runs import RunFolder
from desk.wiring.live_status import LiveStatus

def hold_the_lock(numbers):
    while True:
        sorted(numbers)

folder = RunFolder(Path(sys.argv[1]))
with LiveStatus(folder, "plan", "desk") as status:
    status.show(DeskView(state="running"), {}, [], [])
    if sys.argv[2] == "lock":
        numbers = [(number * 7919 % 1000003) / 7 for number in range(250000)]
        threading.Thread(target=hold_the_lock, args=(numbers,), name="guilty", daemon=True).start()
    print("ready", flush=True)
    while True:
        time.sleep(0.001)
"""


def doctor(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["doctor", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@contextlib.contextmanager
def desk_process(folder: Path, fault: str) -> Iterator[None]:
    """A process that publishes itself; its main thread works a little, again and again."""
    command = [sys.executable, "-c", CHILD, str(folder), fault]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            while not (folder / "live.msgpack").exists():
                assert child.poll() is None
            yield
        finally:
            child.kill()


def test_a_thread_that_holds_the_lock_is_named_with_its_code(tmp_path: Path) -> None:
    with desk_process(tmp_path, "lock"):
        status, out, err = doctor(tmp_path, "--seconds", "2", "--json")

    assert status == 0, err
    verdict = json.loads(out)
    first = verdict["findings"][0]
    assert (verdict["live"], verdict["healthy"]) == (True, False)
    assert (first["process"], first["kind"]) == ("desk", "interpreter lock")
    assert "hold_the_lock" in first["holder"]


def test_a_process_that_waits_for_nothing_is_healthy(tmp_path: Path) -> None:
    with desk_process(tmp_path, ""):
        status, out, err = doctor(tmp_path, "--seconds", "1")

    assert status == 0, err
    assert "a running desk" in out
    assert "interpreter lock" not in out


def recorded(folder: Path, *waits: dict[str, float]) -> Path:
    folder.mkdir(exist_ok=True)
    lines = [MeterInterval(10.0, 0, {"producer": ActorInterval(7, waits=each)}) for each in waits]
    (folder / "meters.jsonl").write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return folder


def test_a_finished_run_is_judged_by_its_meters(tmp_path: Path) -> None:
    status, out, _ = doctor(recorded(tmp_path, {"lock": 6.0}, {"lock": 3.0}))

    assert status == 0
    lines = out.splitlines()
    assert lines[0] == f"{tmp_path.name}: the meters of a run that has ended, 20.0 s"
    assert lines[1] == "1. interpreter lock · producer (process 7) · 60%"
    assert lines[-1].startswith("   remedy: ")


def test_a_finished_run_without_waits_is_healthy(tmp_path: Path) -> None:
    assert "healthy" in doctor(recorded(tmp_path, {}, {"lock": 0.1}))[1]


def test_a_desk_that_was_killed_is_judged_by_its_meters(tmp_path: Path) -> None:
    snapshot = LiveSnapshot(run_id="r", plan="p", wall_ns=1, view=DeskView(state="running"))
    (tmp_path / "live.msgpack").write_bytes(encode_snapshot(snapshot))

    status, out, _ = doctor(recorded(tmp_path, {"gc": 2.0}), "--json")

    assert status == 0
    assert json.loads(out)["findings"][0]["kind"] == "garbage collection"
    assert not json.loads(out)["live"]


def test_without_a_folder_the_newest_run_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYDESK_RUNS_DIR", str(tmp_path))
    assert doctor()[0] == 2

    recorded(tmp_path / "old", {"lock": 9.0})
    (tmp_path / "other").mkdir()
    newest = recorded(tmp_path / "new", {})
    older_s = (newest / "meters.jsonl").stat().st_mtime - 10
    os.utime(tmp_path / "old" / "meters.jsonl", (older_s, older_s))

    status, out, _ = doctor()

    assert status == 0
    assert out.startswith("new: ")


@pytest.mark.parametrize(
    ("file", "content", "found"),
    [
        ("", b"", "neither a running desk nor the meters of a finished one"),
        ("meters.jsonl", b"", "a run that ended before its first meters"),
        ("meters.jsonl", b"{not json\n", "a line cannot be read"),
        ("live.msgpack", b"\xc1", "it cannot be read"),
    ],
)
def test_a_folder_without_a_desk_gives_a_clear_error(tmp_path: Path, file: str, content: bytes, found: str) -> None:
    if file:
        (tmp_path / file).write_bytes(content)

    status, out, err = doctor(tmp_path)

    assert (status, out) == (2, "")
    assert str(tmp_path) in err
    assert found in err
    assert "remedy" in err
