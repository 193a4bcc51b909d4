"""Publishes a running desk once a second: `live.msgpack` for `desk doctor` and `desk top`, `meters.jsonl` for later.

Tests: tests/desk/wiring/test_live_status.py
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import msgspec

from desk.files.atomic import replacing
from desk.files.private import private_opener
from desk.model.errors import RunFailed
from desk.process.other_process import process_readings
from desk.process.process_meters import ProcessMeters
from desk.process.stack_dump import answer_requests
from desk.report.desk_view import DeskView
from desk.report.live_snapshot import LiveSnapshot, ProcessRow, encode_snapshot
from desk.report.meter_interval import interval_between
from desk.runs import RunFolder
from desk.telemetry.readings import Readings
from desk.wiring.run_end import log_files, measure_log

EVERY_S: Final = 1.0
METERS_EVERY_NS: Final = 10_000_000_000
CLOSE_S: Final = 5.0


class LiveStatus:
    """Writes what `show` was given last, with the meters of this process and of `others`, in a thread of its own.

    So the files tell of a driver that is blocked, too. `actor` is this process's name. `latest` is the last snapshot,
    encoded. A disk that is full or gone ends the publishing, not the run: `fault` says so.
    """

    def __init__(self, folder: RunFolder, plan: str, actor: str = "driver", node: str = "") -> None:
        self.meters = ProcessMeters(actor, node)
        self.latest = b""
        self.fault = ""
        self._actor = actor
        self._live, self._log = folder.live, folder.meters
        self._now = LiveSnapshot(run_id=folder.dir.name, plan=plan, wall_ns=0, host=socket.gethostname(), node=node)
        self._others: Mapping[str, int] = {}
        self._line_from: LiveSnapshot | None = None
        self._own: Readings | None = None
        self._due_s = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live-status", daemon=True)

    @property
    def is_due(self) -> bool:
        """Whether `show` should be called: its last call was a second ago."""
        return time.monotonic() >= self._due_s

    def __enter__(self) -> Self:
        """Begin to publish; the calling thread is the one that does the process's work."""
        self.meters.waits.follow()
        answer_requests()
        try:
            _append(self._log, b"")  # a run may end before its first line of meters is due
        except (OSError, RunFailed) as error:
            self._note_fault(error)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write the last line of meters, and remove the snapshot: the desk does not run any more."""
        self._ended.set()
        self._thread.join(CLOSE_S)
        with contextlib.suppress(OSError):
            self._live.unlink(missing_ok=True)

    def show(
        self,
        view: DeskView,
        readings: Mapping[str, Readings],
        processes: Sequence[ProcessRow],
        warnings: Sequence[str],
        others: Mapping[str, int] | None = None,
        own: Readings | None = None,
    ) -> None:
        """Publish these from now on. `others` are further processes of this machine, by name.

        `own` are metrics of the desk's parts that run in this process.
        """
        self._due_s = time.monotonic() + EVERY_S
        self._others = others or {}
        self._own = own
        me = ProcessRow(self._actor, os.getpid(), self._now.node)
        self._now = msgspec.structs.replace(
            self._now,
            view=view,
            readings=dict(readings),
            processes=[*processes, me],
            warnings=list(warnings),
        )

    def _run(self) -> None:
        try:
            while not self._ended.wait(EVERY_S):
                self._publish()
            self._publish(last=True)
        except (OSError, RunFailed) as error:
            self._note_fault(error)

    def _note_fault(self, error: Exception) -> None:
        self.fault = f"{self._live.parent}: meters are not written: {error}"

    def _publish(self, *, last: bool = False) -> None:
        others = {name: process_readings(name, pid) for name, pid in self._others.items()}
        readings = {name: found for name, found in others.items() if found is not None}
        now = msgspec.structs.replace(
            self._now,
            wall_ns=time.time_ns(),
            readings={**self._now.readings, **readings, self._actor: self._driver()},
        )
        self.latest = encode_snapshot(now)
        with replacing(self._live) as beside:
            beside.write_bytes(self.latest)
        if self._line_from is None:
            self._line_from = now
        elif last or now.wall_ns - self._line_from.wall_ns >= METERS_EVERY_NS:
            _append(self._log, msgspec.json.encode(interval_between(self._line_from, now)) + b"\n")
            self._line_from = now

    def _driver(self) -> Readings:
        readings = self.meters.readings()
        measure_log(readings)
        for file in log_files():
            readings.count("wait.time", file.writes.total_ns / 1e9, kind="log", taken="exact")
        if self._own is not None:
            readings.values += self._own.values
            readings.histograms += self._own.histograms
        return readings


def _append(path: Path, line: bytes) -> None:
    descriptor = private_opener(str(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
