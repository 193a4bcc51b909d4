"""The scanner actor: reads the whole market itself, independently of the lanes.

Tests: tests/actors/test_plain_actors.py
"""

import threading
from collections.abc import Sequence
from typing import Final

import msgspec

from actors.metrics.actor_meters import ActorMeters, ActorReport, ExportFactory, no_export
from desk.config import Plan
from desk.consumer.engine.guard import MIB
from desk.model.bars import Bar
from desk.model.items import Stop
from desk.model.records import ScanAnswer
from desk.model.session import Session
from desk.process.breadcrumbs import BreadcrumbTrail
from desk.process.exit_watch import ProcessWatch
from desk.process.memory_limit import MemoryLimit
from desk.report.run_record import ProcessUsage
from desk.telemetry import formatting
from desk.wiring import markets, shard_factory


class ScanStats(msgspec.Struct, array_like=True):
    """Counts and problems of one incarnation of the scanners so far.

    `fault`: why a live market cannot be scanned at this moment; `warnings`: such faults that are over.
    """

    scans: int
    problems: list[str]
    warnings: list[str] = []
    fault: str = ""
    epoch: int = 0


class Scanners:
    """Run all scanners of the plan, and serve the session's earlier bars of every symbol.

    `stops` name the scanners that the supervisor has stopped. `desk` is the desk's name on its machines. Without it the
    process belongs to other code, too: then no breadcrumbs are written, and memory is not limited.
    """

    DASHBOARD_NAME: Final = "Scanner"

    def __init__(
        self,
        plan: Plan,
        session: Session,
        epoch: int = 0,
        desk: str = "",
        stops: Sequence[Stop] = (),
        export: ExportFactory = no_export,
    ) -> None:
        self._trail = BreadcrumbTrail.create(desk, "scanner", epoch) if desk else None
        self._watch = ProcessWatch(self._trail, desk) if self._trail is not None else None
        self._meters = ActorMeters("scanner", export, traced=plan.telemetry.traced)
        self._scanning = shard_factory.build_scanner_runner(
            plan, session, markets.market_source(plan, session), self._trail, stops
        )
        scanners = formatting.names([one.name for one in plan.scanners], 4) or "no scanner"
        self._title = f"scanner of {plan.session.name}: {scanners}"
        self._left: list[str] = []
        self._epoch = epoch
        self._in_scan = threading.Lock()
        if self._trail is not None:
            self._trail.when_exhausted(MemoryLimit(round(plan.guards.memory_mb * MIB)).renew)

    def __repr__(self) -> str:
        return self._title

    def usage(self) -> ProcessUsage:
        """CPU time and memory that this process has used."""
        return self._meters.usage()

    def scan(self, mark_ns: int, subscribed: Sequence[str]) -> list[ScanAnswer]:
        """Run the scanners that are due at the mark; return their answers."""
        self._meters.follow()
        if self._trail is not None:
            self._trail.batch()
        with self._in_scan:
            return self._scanning.scan(mark_ns, subscribed)

    def history(self, symbols: Sequence[str], until_ns: int) -> dict[str, list[Bar]]:
        """The session's bars of these symbols from the rows received before `until_ns`."""
        return self._scanning.history(symbols, until_ns)

    def remembered(self, symbols: Sequence[str], until_ns: int) -> dict[str, bytes]:
        """The encoded remembered trades of these symbols at `until_ns`."""
        return self._scanning.remembered(symbols, until_ns)

    def stats(self) -> ScanStats:
        """Counts of scans, and the problems of scanners.

        With a live market it is called during a scan, too: then the scan's child processes are left alone.
        """
        if self._in_scan.acquire(blocking=False):
            try:
                self._end_children()
            finally:
                self._in_scan.release()
        scanning = self._scanning
        problems = [*scanning.problems, *self._left]
        return ScanStats(scanning.scans, problems, list(scanning.warnings), scanning.fault, self._epoch)

    def report(self) -> ActorReport:
        """The stats and the metrics of this process."""
        return self._meters.report(self.stats(), lambda readings: readings.count("scans", self._scanning.scans))

    def _end_children(self) -> None:
        if self._watch is None or self._trail is None:
            return
        for child in self._watch.end_left():
            name, _ = self._trail.suspect or ("of no known name", "")
            self._left.append(f"scanner {name} left {child} running: it was killed")
