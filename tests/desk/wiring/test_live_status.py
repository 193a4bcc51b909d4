"""A desk is published while it runs, by a thread that nothing in the desk can block."""

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from desk.report.desk_view import DeskView
from desk.report.live_snapshot import LiveSnapshot, ProcessRow, decode_snapshot
from desk.report.meter_interval import MeterInterval
from desk.runs import RunFolder
from desk.telemetry.readings import Readings
from desk.wiring.live_status import LiveStatus
from desk.wiring.run_end import LOG, open_log

DEADLINE_S = 20.0


def wait_until(reached: Callable[[], bool]) -> None:
    end_s = time.monotonic() + DEADLINE_S
    while not reached():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.01)


def published(folder: RunFolder) -> LiveSnapshot | None:
    return decode_snapshot(folder.live.read_bytes()) if folder.live.exists() else None


def a_folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, None, "day", 0)


def some_readings(actor: str) -> dict[str, Readings]:
    readings = Readings(actor, 77, "", 1, time.time_ns())
    readings.count("wait.time", 2.0, kind="lock", taken="probe")
    return {actor: readings}


def test_a_running_desk_is_published_with_the_drivers_own_meters(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    with LiveStatus(folder, "plan") as status:
        status.show(DeskView(state="running"), some_readings("producer"), [ProcessRow("producer", 77)], ["a warning"])
        wait_until(lambda: (found := published(folder)) is not None and "producer" in found.readings)

        found = published(folder)
        assert found is not None
        assert folder.live.stat().st_mode & 0o777 == 0o600
        assert (found.plan, found.run_id, found.state, found.warnings) == (
            "plan",
            folder.dir.name,
            "running",
            ["a warning"],
        )
        assert [row.actor for row in found.processes] == ["producer", "driver"]
        kinds = {one.labels["kind"] for one in found.readings["driver"].values if one.metric == "wait.time"}
        assert "lock" in kinds
        wait_until(lambda: (later := published(folder)) is not None and later.wall_ns > found.wall_ns)
        assert decode_snapshot(status.latest).wall_ns >= found.wall_ns

    assert not folder.live.exists()
    lines = [msgspec.json.decode(line, type=MeterInterval) for line in folder.meters.read_bytes().splitlines()]
    assert "driver" in lines[-1].actors
    assert not status.fault


def test_a_log_that_blocks_is_published_while_it_blocks(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    log = open_log(folder)
    (handler,) = logging.getLogger(LOG).handlers

    def waited() -> float:
        found = published(folder)
        driver = found.readings.get("driver") if found else None
        waits = [one.value for one in driver.values if one.labels.get("kind") == "log"] if driver else []
        return sum(waits)

    try:
        with LiveStatus(folder, "plan"), handler.writes:  # type: ignore[attr-defined]
            wait_until(lambda: waited() > 1.0)
        log.info("goes on")
    finally:
        log.removeHandler(handler)
        handler.close()


def test_a_folder_that_is_gone_ends_the_publishing_and_is_reported(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    with LiveStatus(folder, "plan") as status:
        shutil.rmtree(folder.dir)
        wait_until(lambda: bool(status.fault))

    assert str(folder.dir) in status.fault
