"""Traces of a whole desk: from the tick of the feed to the order at the venue, and of batches that are too old."""

import json
import logging
from itertools import pairwise
from pathlib import Path

from desk.config import load_plan
from desk.exporters.trace_file import TraceFile
from desk.inprocess.in_process_desk import InProcessDesk
from desk.model.spans import SpanRecord
from desk.runs import RunFolder

PLAN = """
[session]
name = "traced"
[feed]
kind = "synthetic"
[feed.synthetic]
seed = 5
symbols = 4
events_per_s = 20.0
minutes = 2
[telemetry]
trace_sample = 0.3
[[strategies]]
name = "pressure"
use = "strategies.examples.pressure:Pressure"
params = { ratio = 1.2, hold_s = 5, risk_usd = 500.0 }
"""
WAY = ["feed", "route", "lane", "link", "apply", "strategy", "decide"]


class KeepAll:
    """Takes the spans of a desk as it runs, as its telemetry does."""

    def __init__(self, desk: InProcessDesk) -> None:
        self.spans: list[SpanRecord] = []
        self._desk = desk

    def show(self, _view: object) -> None:
        self.spans += self._desk.spans.take()


def traced_run(tmp_path: Path, text: str) -> list[SpanRecord]:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    desk = InProcessDesk(load_plan(path), RunFolder.create(None, tmp_path / "run", "run", 0))
    kept = KeepAll(desk)
    assert desk.run(kept.show).ok
    kept.show(None)
    assert desk.spans.dropped == 0
    return kept.spans


def test_one_trace_leads_from_the_tick_to_the_order(tmp_path: Path) -> None:
    spans = traced_run(tmp_path, PLAN)

    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    orders = [span for span in spans if span.name == "venue"]
    assert orders
    for order in orders:
        way, span = [order], order
        while span.parent_id:
            span = by_id[span.parent_id]
            way.append(span)
        assert [span.name for span in reversed(way)] == [*WAY, "venue"]
        assert {span.trace_id for span in way} == {order.trace_id}
        assert all(later.started_ns >= earlier.started_ns for later, earlier in pairwise(way))
        decide = way[1]
        assert any(span.name == "ledger.commit" and span.parent_id == decide.span_id for span in spans)
        assert way[2].attributes["strategy"] == "pressure"


def test_the_results_do_not_depend_on_tracing(tmp_path: Path) -> None:
    for name, text in (("on", PLAN), ("off", PLAN.replace("trace_sample = 0.3", "trace_sample = 0.0"))):
        (tmp_path / name).mkdir()
        traced_run(tmp_path / name, text)

    for file in ("bars.parquet", "decisions.parquet"):
        on, off = ((tmp_path / name / "run" / file).read_bytes() for name in ("on", "off"))
        assert on == off


def test_a_trace_file_opens_and_holds_each_span_once(tmp_path: Path) -> None:
    spans = traced_run(tmp_path, PLAN)
    path = tmp_path / "trace.json"

    file = TraceFile(path, logging.getLogger("test"))
    file.publish("desk", 7, spans)
    file.close()

    events = [event for event in json.loads(path.read_text()) if event]
    begun = [event for event in events if event["ph"] == "b"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [event["args"]["name"] for event in events if event["ph"] == "M"] == ["desk"]
    assert sorted(event["args"]["span_id"] for event in begun) == sorted(span.span_id for span in spans)
    assert len([event for event in events if event["ph"] == "e"]) == len(begun)
