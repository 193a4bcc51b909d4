"""A whole desk in one process and an OpenTelemetry receiver: what arrives is what the desk counted."""

from pathlib import Path

import grpc
import pytest
from log_lines import log_events
from otlp_receiver import otlp_receiver

from desk.config import load_plan
from desk.inprocess.in_process_desk import run_in_process
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.telemetry.histogram import Histogram

PLAN = """
[session]
name = "metered"
[feed]
kind = "synthetic"
symbols = ["*"]
[feed.synthetic]
symbols = 20
events_per_s = 200.0
minutes = 1
[consumers]
count = 2
[guards]
strategy_budget_ms = 60000
[[strategies]]
name = "pressure"
use = "strategies.examples.pressure:Pressure"
params = { ratio = 2.0, hold_s = 5, risk_usd = 500.0 }
[telemetry]
"""


def run(folder: Path, telemetry: str) -> Summary:
    path = folder / "plan.toml"
    path.write_text(PLAN + telemetry)
    results = RunFolder.create(None, folder / "run", "run", 0)
    return run_in_process(load_plan(path), results, show=lambda _: None)


def test_a_receiver_gets_the_counts_and_the_quantiles_of_the_desk_itself(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        summary = run(tmp_path, f'otlp_endpoint = "{receiver.endpoint}"')

    assert (summary.ok, summary.warnings) == (True, [])
    produced = receiver.numbers("raydesk.events.produced")
    assert produced["producer", "trades"] == summary.ticks.trades.received
    assert produced["producer", "quotes"] == summary.ticks.quotes.received
    consumed = receiver.numbers("raydesk.events.consumed")
    assert sum(consumed.values()) == summary.ticks.trades.applied + summary.ticks.quotes.applied
    queue = receiver.histograms("raydesk.queue.time")
    assert set(queue) == {"consumer-00", "consumer-01"}
    merged = Histogram.of(*(one for each in queue.values() for one in each))
    assert merged.count == sum(consumed.values())
    quantiles = summary.latency_ms.time_in_queue
    assert quantiles is not None
    for q, ms in ((0.5, quantiles.p50), (0.95, quantiles.p95), (0.99, quantiles.p99), (1.0, quantiles.max)):
        assert (merged.quantile(q) or 0) / 1e6 == pytest.approx(ms, abs=0.0006)
    times = receiver.histograms("raydesk.strategy.duration")
    assert all(each.count for found in times.values() for each in found)
    assert sum(receiver.numbers("raydesk.orders.submitted").values()) == summary.orders.submitted > 0
    latency = receiver.histograms("raydesk.orders.latency")["broker"]
    assert {each.count for each in latency} >= {summary.orders.submitted}
    assert receiver.histograms("raydesk.ledger.commit")["ledger"][0].count > 0
    assert receiver.numbers("raydesk.feed.connected") == {("producer",): 1}


def test_a_receiver_gets_whole_traces_from_tick_to_order(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        summary = run(tmp_path, f'otlp_endpoint = "{receiver.endpoint}"\ntrace_sample = 0.2')

    assert (summary.ok, summary.warnings) == (True, [])
    orders = [span for _, span in receiver.traces.spans if span.name == "venue"]
    ways = receiver.traces.ways_of_orders()
    assert len(ways) == len(orders) > 0
    for way in ways:
        assert [name for _, name in way] == ["feed", "route", "lane", "link", "apply", "strategy", "decide", "venue"]


def test_every_actor_has_a_resource_of_its_own(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        run(tmp_path, f'otlp_endpoint = "{receiver.endpoint}"\nmetric_prefix = "paper"')

    resources = receiver.resources()
    assert set(resources) >= {"driver", "producer", "consumer-00", "consumer-01", "broker", "ledger"}
    consumer = resources["consumer-01"]
    assert (consumer["service.name"], consumer["service.namespace"]) == ("raydesk", "metered")
    assert consumer["service.instance.id"] == "run/consumer-01"
    assert (consumer["raydesk.run"], consumer["raydesk.desk"], consumer["raydesk.shard"]) == ("run", "metered", "1")
    assert consumer["raydesk.node"]
    kinds = receiver.kinds()
    assert kinds["paper.events.consumed"] == ("{event}", "sum")
    assert kinds["paper.lane.depth"] == ("{event}", "gauge")
    assert kinds["paper.queue.time"] == ("s", "exponential_histogram")
    assert kinds["paper.process.cpu.time"] == ("s", "sum")


def test_a_receiver_that_refuses_costs_the_desk_nothing_but_a_warning(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        receiver.refusal = grpc.StatusCode.PERMISSION_DENIED
        summary = run(tmp_path, f'otlp_endpoint = "{receiver.endpoint}"')

    assert summary.ok
    assert len(summary.warnings) == 1
    assert "export of metrics" in summary.warnings[0]
    assert "PERMISSION_DENIED" in summary.warnings[0]
    log = log_events(tmp_path / "run" / "desk.log")
    assert log.count("export of metrics to 127.0.0.1") == 2  # when it failed, and among the warnings of the run


@pytest.mark.parametrize("is_there", [True, False])
def test_a_receiver_that_does_not_answer_changes_nothing_but_a_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], *, is_there: bool
) -> None:
    alone = run(made(tmp_path, "alone"), "")

    with otlp_receiver() as receiver:
        receiver.released.clear()
        endpoint = receiver.endpoint if is_there else "http://127.0.0.1:9"
        summary = run(made(tmp_path, "metered"), f'otlp_endpoint = "{endpoint}"')

    assert summary.ok
    assert summary.ticks == alone.ticks
    assert any("export of metrics" in warning for warning in summary.warnings)
    assert "StatusCode" not in capfd.readouterr().err


def made(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def test_meters_that_cannot_be_written_are_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    results = RunFolder.create(None, tmp_path / "run", "run", 0)
    results.meters.mkdir()

    summary = run_in_process(load_plan(path), results, show=lambda _: None)

    assert summary.ok
    assert [warning for warning in summary.warnings if "meters.jsonl" in warning]
