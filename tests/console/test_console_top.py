"""`desk top`: the table of a desk that really runs, from its first look to the desk's end."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from alpaca_server import AlpacaServer
from live_desk import market, write_live_plan
from running_programs import running, until

from console.commands.top import newest_running, watch_desk
from console.display.process_table import process_table
from console.display.terminal import PlainConsole
from desk.model.errors import RunFolderError
from desk.model.units import SECOND_NS
from desk.report.desk_view import DeskView
from desk.report.live_snapshot import LiveSnapshot, ProcessRow, encode_snapshot
from desk.telemetry.histogram import Histogram
from desk.telemetry.readings import Readings

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "from console.cli import main; main()"


@contextmanager
def live_desk(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A desk that trades, in runs/one of the folder, once it publishes."""
    where = {"cwd": folder, "env": os.environ | {"PYTHONPATH": str(ROOT)}}
    with AlpacaServer(market) as venue:
        plan = write_live_plan(folder, venue.url)
        options = ["--in-process", "--run-dir", folder / "runs" / "one", "--quiet"]
        with running(sys.executable, "-c", COMMAND, "run", plan, *options, folder=folder / "desk", **where) as desk:
            until((folder / "runs" / "one" / "live.msgpack").exists, "a snapshot")
            yield desk


def uncoloured(screen: StringIO) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())


def test_a_person_sees_shards_processes_ages_waits_and_decisions_until_the_desk_ends(tmp_path: Path) -> None:
    screen = StringIO()
    console = PlainConsole(file=screen, force_terminal=True, width=140, height=60)

    with live_desk(tmp_path) as desk:
        looker = threading.Thread(target=watch_desk, args=(tmp_path / "runs" / "one", console), daemon=True)
        looker.start()
        until(lambda: "age p50/p99" in uncoloured(screen), "ages by hop")
        until(lambda: "orders 20" in uncoloured(screen), "orders")
        desk.send_signal(signal.SIGTERM)
        looker.join(60)

    assert not looker.is_alive()
    shown = uncoloured(screen)
    for told in (
        "live · one", "shard", "lane", "window", "positions", "P&L", "processes", "CPU queue", "lock", "desk",
        "MB", "decisions", "link", "apply",
    ):  # fmt: skip
        assert told in shown, told
    assert shown.rstrip().endswith("one: the desk has ended")


def test_the_newest_desk_that_runs_is_found_and_shown_in_lines_where_there_is_no_terminal(tmp_path: Path) -> None:
    where = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(ROOT)}}
    with (
        live_desk(tmp_path) as desk,
        running(sys.executable, "-c", COMMAND, "top", folder=tmp_path / "top", **where) as top,
    ):
        until(lambda: (tmp_path / "top" / "out").read_text().count("running") > 1, "two lines")
        desk.send_signal(signal.SIGTERM)
        status = top.wait(60)

    lines = (tmp_path / "top" / "out").read_text().splitlines()
    assert status == 0
    assert all("orders" in line for line in lines[:-1])
    assert lines[-1] == "one: the desk has ended"


@pytest.mark.parametrize("arguments", [[], ["runs"], ["nowhere"]])
def test_without_a_desk_there_is_one_error(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "runs" / "old").mkdir(parents=True)
    stale = LiveSnapshot(run_id="old", plan="p", wall_ns=time.time_ns() - 60 * SECOND_NS)
    (tmp_path / "runs" / "old" / "live.msgpack").write_bytes(encode_snapshot(stale))
    os.utime(tmp_path / "runs" / "old" / "live.msgpack", (1, 1))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY")}

    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "top", *arguments],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("error:") == 1
    assert "no desk runs here" in done.stderr


def test_a_desk_that_died_and_a_file_of_another_release_are_errors(tmp_path: Path) -> None:
    console = PlainConsole(file=StringIO())
    live = tmp_path / "live.msgpack"
    live.write_bytes(encode_snapshot(LiveSnapshot(run_id="x", plan="p", wall_ns=time.time_ns() - 60 * SECOND_NS)))
    with pytest.raises(RunFolderError, match="no desk runs here"):
        watch_desk(tmp_path, console)

    live.write_bytes(msgspec.msgpack.encode({"format": 99}))
    with pytest.raises(RunFolderError, match="cannot be read"):
        watch_desk(tmp_path, console)


def test_of_several_desks_the_one_that_published_last_is_the_newest(tmp_path: Path) -> None:
    now_s = time.time()
    for name, age_s in (("dead", 60.0), ("older", 2.0), ("newer", 1.0)):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "live.msgpack"
        file.touch()
        os.utime(file, (now_s - age_s, now_s - age_s))
    (tmp_path / "finished").mkdir()

    assert newest_running(tmp_path) == tmp_path / "newer"
    assert newest_running(tmp_path / "finished") is None


def snapshot(at_s: int, lock_s: float, cpu_s: float, ages_ms: list[int], pid: int = 7) -> LiveSnapshot:
    readings = Readings("consumer-00", pid, "", 0, at_s * SECOND_NS)
    readings.count("process.cpu.time", cpu_s, mode="user")
    readings.count("wait.time", lock_s, kind="lock", taken="probe")
    readings.count("wait.time", 3 * lock_s, kind="commit", taken="exact")
    readings.count("strategy.intents", 12)
    readings.set("process.memory.usage", 300 * 2**20)
    ages = Histogram()
    for age_ms in ages_ms:
        ages.add_one(age_ms * 1_000_000)
    readings.record("batch.age", ages.snapshot(), hop="link")
    return LiveSnapshot(
        run_id="x",
        plan="p",
        wall_ns=at_s * SECOND_NS,
        view=DeskView(),
        readings={"consumer-00": readings},
        warnings=["a warning\x1b[2J"],
        processes=[ProcessRow("consumer-00", pid)],
    )


def drawn(before: LiveSnapshot | None, now: LiveSnapshot) -> str:
    console = PlainConsole(file=StringIO(), width=120, record=True)
    console.print(process_table(before, now, 120))
    return console.export_text()


def test_shares_and_ages_are_those_since_the_snapshot_before() -> None:
    picture = drawn(snapshot(10, 1.0, 5.0, [9_000] * 99), snapshot(12, 1.5, 6.0, [9_000] * 99 + [4] * 100))

    row = next(line.split() for line in picture.splitlines() if "consumer-00" in line)
    assert row[1:] == ["consumer-00", "7", "50%", "300", "MB", "25%", "-", "-", "-", "75%", "│"]
    assert "decisions 12" in picture
    ages = next(line for line in picture.splitlines() if "age p50/p99" in line)
    assert "link 4." in ages
    assert "9.0" not in ages
    assert "\x1b" not in picture
    assert "a warning" in picture


@pytest.mark.parametrize("before", [None, snapshot(10, 9.0, 9.0, [5], pid=6)])
def test_before_a_second_snapshot_of_a_process_there_are_no_shares(before: LiveSnapshot | None) -> None:
    row = next(
        line.split() for line in drawn(before, snapshot(12, 1.5, 6.0, [5])).splitlines() if "consumer-00" in line
    )

    assert row[1:] == ["consumer-00", "7", "-", "300", "MB", "-", "-", "-", "-", "-", "│"]
