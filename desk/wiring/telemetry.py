"""The desk's telemetry: hands the metrics and the health of all actors to the ways out that [telemetry] names.

Tests: tests/desk/inprocess/test_otlp_run.py, tests/desk/inprocess/test_prometheus_run.py
"""

import logging
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from desk.config import Plan
from desk.exporters.bearer_file import metrics_token
from desk.exporters.desk_health import DeskHealth
from desk.exporters.export_failures import ExportFailures
from desk.exporters.heartbeat import Heartbeat
from desk.exporters.prometheus import PrometheusPage
from desk.exporters.run_attributes import RunAttributes
from desk.exporters.status_server import Page, StatusServer
from desk.exporters.trace_file import TraceFile
from desk.model.spans import SpanRecord
from desk.process.process_meters import ProcessMeters
from desk.report.desk_view import DeskView
from desk.runs import RunFolder
from desk.telemetry.rate_variation import RateVariation
from desk.telemetry.readings import Readings
from desk.telemetry.steady_readings import SteadyReadings
from desk.wiring.run_end import LOG, measure_log

if TYPE_CHECKING:
    from desk.exporters.otlp_outlet import OtlpOutlet

EVERY_S: Final = 1.0
DRIVER: Final = "driver"
SIGNALS: Final = ("metrics", "traces")


class Telemetry:
    """All ways out of one desk. They work in threads of their own, and never block the desk.

    `meters` are those of this process; a desk that measures what its process waits for sets its own.
    Raises PlanError for a port or file that cannot be opened, or a token that cannot be kept.
    """

    def __init__(self, plan: Plan, run: str, trace_file: Path | None = None) -> None:
        self._plan = plan.telemetry
        self._due_s = 0.0
        self._log = logging.getLogger(LOG)
        self.meters = ProcessMeters(DRIVER)
        self._node = socket.gethostname()
        self._steady = SteadyReadings()
        self._variation = RateVariation()
        self._health = DeskHealth()
        self._page = PrometheusPage(self._plan.metric_prefix)
        self._outcomes: dict[str, ExportFailures] = {}
        with ExitStack() as opened:
            self._serve(opened)
            self._otlp = self._open_otlp(opened, plan.session.name, run)
            self._trace_file = (
                None if trace_file is None else opened.enter_context(closing(TraceFile(trace_file, self._log)))
            )
            self._beat(opened)
            self._opened = opened.pop_all()

    @property
    def is_due(self) -> bool:
        """Whether `publish` should be called: its last call was a second ago."""
        return time.monotonic() >= self._due_s

    def publish(
        self,
        readings: Mapping[str, Readings],
        view: DeskView,
        warnings: Sequence[str] = (),
        own: Readings | None = None,
    ) -> None:
        """Hand over the readings of all actors, by name, and the desk's view; `warnings` are faults that healed.

        `own` are metrics of the desk's parts that run in this process.
        """
        self._due_s = time.monotonic() + EVERY_S
        driver = self._driver(readings, view, warnings)
        if own is not None:
            driver.values += own.values
            driver.histograms += own.histograms
        all_readings = {**readings, DRIVER: driver}
        steady = self._steady.take(all_readings, time.time_ns())
        self._page.publish(steady)
        if self._otlp is not None:
            self._otlp.publish(steady)
        self._health.publish(view.state, view.session_ns, feed_up=_is_feed_up(readings))

    def publish_spans(self, actor: str, readings: Readings, spans: Sequence[SpanRecord]) -> None:
        """Hand over the spans that an actor has recorded since the last call; `readings` are its last metrics."""
        if self._otlp is not None:
            self._otlp.publish_spans(readings, spans)
        if self._trace_file is not None:
            self._trace_file.publish(actor, readings.pid, spans)

    def warnings(self) -> list[str]:
        """Failed exports, for the summary."""
        lines = [line for outcome in self._outcomes.values() for line in outcome.warnings()]
        return [*lines, self._trace_file.fault] if self._trace_file is not None and self._trace_file.fault else lines

    def close(self) -> None:
        """Export the last readings and close all ways out, within 2 s."""
        self._opened.close()

    def _driver(self, readings: Mapping[str, Readings], view: DeskView, warnings: Sequence[str]) -> Readings:
        """The metrics of the driver's own process, and of the desk as a whole."""
        own = self.meters.readings()
        own.actor, own.node = DRIVER, self._node
        measure_log(own)
        variation = self._variation.take(readings)
        if variation is not None:
            own.set("consumers.variation", variation)
        for signal, outcome in self._outcomes.items():
            own.count("export.failures", outcome.failures, signal=signal)
        if self._otlp is not None:
            own.count("trace.spans", self._otlp.dropped_spans, outcome="not_exported")
        own.set("desk.problems", len(view.alerts), level="alert")
        own.set("desk.problems", len(warnings), level="warning")
        return own

    def _serve(self, opened: ExitStack) -> None:
        plan = self._plan
        ports: dict[int, tuple[str, dict[str, Page]]] = {}
        for key, port, path, page in (
            ("prometheus_port", plan.prometheus_port, "/metrics", self._page.page),
            ("healthz_port", plan.healthz_port, "/healthz", self._health.page),
        ):
            if port:
                ports.setdefault(port, (key, {}))[1][path] = page
        token = metrics_token()[0] if ports else ""
        for port, (key, pages) in ports.items():
            opened.callback(StatusServer(plan.host, port, key, pages, token).close)

    def _open_otlp(self, opened: ExitStack, desk: str, run: str) -> "OtlpOutlet | None":
        if not self._plan.otlp_endpoint:
            return None
        from desk.exporters import otlp_outlet, otlp_target  # noqa: PLC0415 - slow to import

        target = otlp_target.otlp_target(self._plan.otlp_endpoint)
        attributes = RunAttributes(run, desk, version("raydesk"), self._node)
        failures = {signal: self._outcome(signal, f"the export of {signal} to {target.address}") for signal in SIGNALS}
        return opened.enter_context(
            closing(otlp_outlet.OtlpOutlet(target, attributes, self._plan.metric_prefix, failures))
        )

    def _beat(self, opened: ExitStack) -> None:
        if self._plan.heartbeat_url:
            outcome = self._outcome("heartbeat", "the heartbeat")
            opened.callback(Heartbeat(self._plan.heartbeat_url, self._health.health, outcome).close)

    def _outcome(self, signal: str, what: str) -> ExportFailures:
        return self._outcomes.setdefault(signal, ExportFailures(what, self._log))


@contextmanager
def open_telemetry(plan: Plan, folder: RunFolder) -> Iterator[Telemetry | None]:
    """The telemetry of a run, closed at the end; None if nothing is to be exported. Raises PlanError."""
    wanted = plan.telemetry
    if not (
        folder.trace_file
        or wanted.prometheus_port
        or wanted.healthz_port
        or wanted.otlp_endpoint
        or wanted.heartbeat_url
    ):
        yield None
        return
    with closing(Telemetry(plan, folder.dir.name, folder.trace_file)) as telemetry:
        yield telemetry


def _is_feed_up(readings: Mapping[str, Readings]) -> bool:
    """Whether no producer reports that its feed is down."""
    return all(
        reading.value > 0
        for found in readings.values()
        for reading in found.values
        if reading.metric == "feed.connected"
    )
