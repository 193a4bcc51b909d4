"""The desk on Ray: the same results as in one process, and orderly ends."""

import signal
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from desk_process import RunningDesk, assert_same_results, is_alive
from otlp_receiver import OtlpReceiver, otlp_receiver
from prometheus_client.parser import text_string_to_metric_families
from session_ray import ROOT, RayHead, clean_environment, wait_until

from desk.telemetry.histogram import Histogram

pytestmark = pytest.mark.ray

ACTORS = ["producer", "consumer-00", "consumer-01", "scanner", "broker", "ledger", "keeper"]


SAMPLES = {
    "ray_raydesk_process_cpu_time_seconds_total": set(ACTORS),
    "ray_raydesk_process_memory_usage_bytes": set(ACTORS),
    "ray_raydesk_events_produced_total": {"producer"},
    "ray_raydesk_feed_connected": {"producer"},
    "ray_raydesk_events_consumed_total": {"consumer-00", "consumer-01"},
    "ray_raydesk_queue_time_seconds_p99": {"consumer-00", "consumer-01"},
    "ray_raydesk_strategy_duration_seconds_p50": {"consumer-00", "consumer-01"},
    "ray_raydesk_pnl": {"broker"},
    "ray_raydesk_ledger_commit_seconds_p99": {"ledger"},
    "ray_raydesk_checkpoints_saved_total": {"keeper"},
    "ray_raydesk_scans_total": {"scanner"},
}
"""Metrics of the catalogue in Ray's own, and the actors that have them."""


def exported(head: RayHead) -> dict[str, set[str]]:
    """The actors that have a sample of each metric of the desk in Ray's metrics."""
    with urllib.request.urlopen(head.metrics, timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        found: dict[str, set[str]] = {}
        for family in families:
            for sample in family.samples:
                found.setdefault(sample.name, set()).add(sample.labels.get("actor", ""))
    return found


@pytest.mark.trial
@pytest.mark.parametrize("consumers", [1, 2, 4])
def test_bars_and_decisions_are_those_of_one_process_whatever_the_number_of_consumers(
    consumers: int, ray_head: RayHead, slice_plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    flags = ["--address", ray_head.address, "--consumers", str(consumers)]
    desk = RunningDesk(slice_plan, tmp_path / "run", ray_head.environment, *flags)

    status, _, err = desk.finish()

    assert status == 0, err
    summary = desk.summary()
    assert summary["ok"]
    assert summary["decisions"] > 200
    assert len({consumer["pid"] for consumer in summary["consumers"]}) == consumers
    assert_same_results(desk.run_dir, undisturbed)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as receiver:
        yield receiver


@pytest.fixture
def started(ray_head: RayHead, endless: Path, tmp_path: Path, receiver: OtlpReceiver) -> Iterator[RunningDesk]:
    endless.write_text(
        f'{endless.read_text()}\n[telemetry]\notlp_endpoint = "{receiver.endpoint}"\ntrace_sample = 0.5\n'
    )
    with closing(RunningDesk(endless, tmp_path / "run", ray_head.environment, "--address", ray_head.address)) as desk:
        yield desk


def test_metrics_of_every_actor_go_to_ray_and_to_a_receiver_and_sigterm_closes_the_books(
    ray_head: RayHead, started: RunningDesk, receiver: OtlpReceiver
) -> None:
    pids = started.pids()
    started.wait_for_ticks()

    def missing() -> dict[str, set[str]]:
        found = exported(ray_head)
        return {name: lacking for name, actors in SAMPLES.items() if (lacking := actors - found.get(name, set()))}

    wait_until(lambda: not missing(), 90.0, "the export of every actor's metrics")
    wait_until(lambda: bool(receiver.traces.ways_of_orders()), 90.0, "the whole trace of an order")

    started.process.send_signal(signal.SIGTERM)
    status, out, err = started.finish()

    assert status == 0, err
    assert out.strip().splitlines()[-1].startswith("ok · balanced")
    summary = started.summary()
    assert summary["ok"]
    assert summary["ticks"]["trades"]["received"] > 0
    assert summary["warnings"] == []
    assert set(receiver.resources()) == {*ACTORS, "driver"}
    produced = receiver.numbers("raydesk.events.produced")
    assert produced["producer", "trades"] == summary["ticks"]["trades"]["received"]
    consumed = receiver.numbers("raydesk.events.consumed")
    assert sum(consumed.values()) == sum(summary["ticks"][kind]["applied"] for kind in ("trades", "quotes"))
    merged = Histogram.of(*(one for each in receiver.histograms("raydesk.queue.time").values() for one in each))
    quantiles = summary["latency_ms"]["time_in_queue"]
    assert [(merged.quantile(q) or 0) / 1e6 for q in (0.5, 0.99, 1.0)] == pytest.approx(
        [quantiles[name] for name in ("p50", "p99", "max")], abs=0.0006
    )
    for way in receiver.traces.ways_of_orders():
        shard = way[3][0]
        assert shard in {"consumer-00", "consumer-01"}
        assert way == [
            *(("producer", name) for name in ("feed", "route", "lane")),
            *((shard, name) for name in ("link", "apply", "strategy")),
            *(("broker", name) for name in ("decide", "venue")),
        ]
    wait_until(lambda: not any(map(is_alive, pids.values())), 30.0, "the end of every actor")


def test_a_desk_of_its_own_runs_each_actor_in_a_process_of_its_own(tmp_path: Path) -> None:
    desk = RunningDesk(ROOT / "configs" / "demo.toml", tmp_path / "run", clean_environment())

    pids = desk.pids()
    status, _, err = desk.finish()

    assert status == 0, err
    assert sorted(pids) == sorted(ACTORS)
    assert len(set(pids.values())) == len(ACTORS)
    assert desk.process.pid not in pids.values()
    assert desk.summary()["ok"]
