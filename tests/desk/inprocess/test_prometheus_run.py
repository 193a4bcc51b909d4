"""A real Prometheus scrapes a running desk with the token's file; /healthz says how the desk is."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from running_programs import DEADLINE_S, PrometheusApi, free_port, get, running, until

from desk.telemetry.catalogue import BY_NAME

COMMAND = "from console.cli import main; main()"
PLAN = """
[session]
name = "scraped"
lockstep = false
[feed]
kind = "synthetic"
speed = 1.0
symbols = ["*"]
[feed.synthetic]
symbols = 20
events_per_s = 500.0
minutes = 10
[consumers]
count = 2
[[strategies]]
use = "strategies.examples.pressure:Pressure"
params = { ratio = 2.0, hold_s = 5, risk_usd = 500.0 }
[telemetry]
"""
CONFIG = """
global:
  scrape_interval: 500ms
scrape_configs:
  - job_name: raydesk
    authorization:
      credentials_file: TOKEN
    static_configs:
      - targets: ["127.0.0.1:PORT"]
"""


@contextmanager
def running_desk(folder: Path, telemetry: str) -> Iterator[subprocess.Popen[bytes]]:
    plan = folder / "plan.toml"
    plan.write_text(PLAN + telemetry)
    arguments = ["run", plan, "--in-process", "--run-dir", folder / "run", "--quiet"]
    with running(sys.executable, "-c", COMMAND, *arguments, folder=folder / "desk") as process:
        yield process


def test_prometheus_gets_counters_quantiles_and_health_from_a_running_desk(tmp_path: Path, state_dir: Path) -> None:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no prometheus here (.ci/packages installs it)")
    port, own_port = free_port(), free_port()
    token = state_dir / "metrics_token"
    config = tmp_path / "prometheus.yml"
    config.write_text(CONFIG.replace("TOKEN", str(token)).replace("PORT", str(port)))
    options = [f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    listen = f"--web.listen-address=127.0.0.1:{own_port}"
    query = PrometheusApi(own_port).by_actor

    with (
        running_desk(tmp_path, f"prometheus_port = {port}\nhealthz_port = {port}") as desk,
        running(program, *options, listen, folder=tmp_path / "prometheus"),
    ):
        rates = until(lambda: query("sum by (actor) (rate(raydesk_events_consumed_total[10s])) > 0"), "rates")
        quantile = "histogram_quantile(0.99, sum by (le) (rate(raydesk_queue_time_seconds_bucket[10s])))"
        p99_s = until(lambda: query(quantile), "a quantile")
        health = json.loads(until(lambda: get(f"http://127.0.0.1:{port}/healthz", token.read_text().strip()), "health"))
        up = query("up")
        desk.send_signal(signal.SIGTERM)
        status = desk.wait(DEADLINE_S)

    assert set(rates) <= {"consumer-00", "consumer-01"}
    assert 0 < p99_s[""] < 60
    assert up == {"": 1.0}
    assert (health["ok"], health["state"]) == (True, "running")
    assert status == 0, (tmp_path / "desk" / "out").read_text()
    assert stat.S_IMODE(token.stat().st_mode) == 0o600


def test_the_page_needs_the_token_and_has_neither_symbol_nor_path(tmp_path: Path, state_dir: Path) -> None:
    port, health_port = free_port(), free_port()
    with running_desk(tmp_path, f"prometheus_port = {port}\nhealthz_port = {health_port}"):
        token = until(lambda: (state_dir / "metrics_token").read_text().strip(), "the token")
        pages = []

        def traded() -> str:
            pages.append(get(f"http://127.0.0.1:{port}/metrics", token))
            return pages[-1] if "orders_latency_seconds" in pages[-1] else ""

        text = until(traded, "an order")
        with pytest.raises(urllib.error.HTTPError) as caught:
            get(f"http://127.0.0.1:{port}/metrics")
        with closing(caught.value) as refused:
            assert refused.code == 401
        with pytest.raises(urllib.error.HTTPError) as caught:
            get(f"http://127.0.0.1:{health_port}/metrics", token)
        with closing(caught.value) as absent:
            assert absent.code == 404
        health = get(f"http://127.0.0.1:{health_port}/healthz", token)

    names = {family.name for family in text_string_to_metric_families(text)}
    assert names >= {"raydesk_events_produced", "raydesk_queue_time_seconds", "raydesk_strategy_duration_seconds"}
    assert len(names) > len(BY_NAME) / 3
    for secret in ("SYN0", str(tmp_path), str(os.getpid()), token):
        assert secret not in text
        assert secret not in health


def test_a_port_in_use_is_exit_status_2_and_leaves_no_folder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running_desk(tmp_path, f"prometheus_port = {port}") as desk:
            status = desk.wait(DEADLINE_S)

    text = (tmp_path / "desk" / "out").read_text()
    assert status == 2
    assert text.count("error:") == 1
    assert f"port {port} of 127.0.0.1 cannot be opened" in " ".join(text.split())
    assert not (tmp_path / "run").exists()
