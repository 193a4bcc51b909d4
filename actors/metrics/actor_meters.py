"""The metrics of one actor's process: collected at each poll, exported to Ray, and returned to the supervisor.

Tests: tests/actors/test_plain_actors.py
"""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from desk.model.spans import SpanRecord
from desk.process.process_meters import ProcessMeters
from desk.process.stack_dump import answer_requests
from desk.report.metric_readings import add_spans
from desk.report.run_record import ProcessUsage
from desk.telemetry.hop_meter import HopMeter
from desk.telemetry.readings import Readings
from desk.wiring.user_spans import span_recorder


class ActorReport(msgspec.Struct):
    """An actor's answer to a poll: its figures (ProducerStats, ShardStats, OrderSummary, …), metrics, and new spans."""

    stats: Any
    readings: Readings
    spans: list[SpanRecord] = []


class ReadingsExport(Protocol):
    """Exports the metrics of one actor; called about once per second. `node` is its node's id, "" outside a cluster."""

    node: str

    def export(self, readings: Readings) -> None:
        """Export the metrics."""
        ...


class NoExport:
    """Exports nothing: for actors that run outside a cluster."""

    node = ""

    def export(self, readings: Readings) -> None:
        """Do nothing."""


ExportFactory = Callable[[str], ReadingsExport]
"""Creates the export of an actor by its name."""


def no_export(actor: str) -> NoExport:  # noqa: ARG001 - as ExportFactory
    """The export of an actor that runs outside a cluster."""
    return NoExport()


class ActorMeters:
    """The meters of an actor's process, its spans, and their export. `traced`: spans are wanted."""

    def __init__(self, actor: str, export: ExportFactory, *, traced: bool = False) -> None:
        self.spans = span_recorder(traced=traced)
        self._export = export(actor)
        self._process = ProcessMeters(actor, self._export.node)
        if self._export.node:  # the process is this actor's own
            answer_requests()

        self.hops = HopMeter(self._process.waits.timeline, self._process.waits.work_points())

    def usage(self) -> ProcessUsage:
        """CPU time and memory that the process has used."""
        return self._process.usage()

    def follow(self) -> None:
        """Watch the waits of the calling thread: it does the actor's work."""
        self._process.waits.follow()

    def report(self, stats: Any, measure: Callable[[Readings], None]) -> ActorReport:
        """The answer to a poll; `measure` adds the actor's own metrics to those of its process."""
        readings = self._process.readings()
        measure(readings)
        add_spans(readings, self.spans)
        self.hops.measure(readings)
        self._export.export(readings)
        return ActorReport(stats, readings, self.spans.take())
