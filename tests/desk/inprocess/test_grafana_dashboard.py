"""Every expression of the Grafana dashboard returns data from a Prometheus that scrapes a desk on a live feed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alpaca_server import AlpacaServer
from live_desk import market, write_live_plan
from running_programs import PrometheusApi, free_port, running, until

from desk.telemetry.catalogue import METRICS
from desk.telemetry.names import prometheus_name

ROOT = Path(__file__).resolve().parents[3]
DASHBOARD = ROOT / "configs" / "grafana" / "raydesk.json"
SCRAPE = ROOT / "configs" / "prometheus" / "prometheus.yml"
COMMAND = "from console.cli import main; main()"


def expressions() -> list[tuple[str, str]]:
    """Title of the panel and expression, for each query of the dashboard."""
    board: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel["targets"]]


def metrics_of(expression: str) -> set[str]:
    return {re.sub(r"_bucket$", "", name) for name in re.findall(r"raydesk_\w+", expression)}


@contextmanager
def live_desk(folder: Path, url: str, more: str) -> Iterator[subprocess.Popen[bytes]]:
    plan = write_live_plan(folder, url, more)
    options = ["--in-process", "--run-dir", folder / "run", "--quiet"]
    where = {"cwd": folder, "env": os.environ | {"PYTHONPATH": str(ROOT)}}
    with running(sys.executable, "-c", COMMAND, "run", plan, *options, folder=folder / "desk", **where) as process:
        yield process


def test_the_dashboard_queries_metrics_of_the_catalogue_and_all_that_belong_there() -> None:
    queried = set().union(*(metrics_of(expression) for _, expression in expressions()))

    assert queried <= {prometheus_name(metric, "raydesk") for metric in METRICS}
    assert {prometheus_name(metric, "raydesk") for metric in METRICS if metric.short} <= queried  # DL, PE, CE and TQ
    assert queried >= {f"raydesk_{name}" for name in ("wait_time_seconds_total", "orders_filled_total", "pnl")}


def test_dl_and_tq_are_heat_maps() -> None:
    board = json.loads(DASHBOARD.read_text())
    maps = {panel["title"]: panel["targets"][0] for panel in board["panels"] if panel["type"] == "heatmap"}

    assert set(maps) == {"Data latency (DL)", "Time in queue (TQ)"}
    assert {target["format"] for target in maps.values()} == {"heatmap"}
    assert all("sum by (le)" in target["expr"] for target in maps.values())


def test_every_expression_returns_data_from_a_running_desk(tmp_path: Path, state_dir: Path) -> None:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no prometheus here (.ci/packages installs it)")
    port, own_port = free_port(), free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text(
        SCRAPE.read_text()
        .replace("/var/lib/raydesk/metrics_token", str(state_dir / "metrics_token"))
        .replace("127.0.0.1:9464", f"127.0.0.1:{port}")
        .replace("scrape_interval: 5s", "scrape_interval: 500ms")
    )
    listen = f"--web.listen-address=127.0.0.1:{own_port}"
    prometheus = PrometheusApi(own_port)
    empty = dict.fromkeys(expressions())

    def all_have_data() -> bool:
        for title, expression in list(empty):
            if prometheus.query(expression.replace("$__rate_interval", "20s")):
                del empty[title, expression]
        return not empty

    with (
        AlpacaServer(market) as venue,
        live_desk(tmp_path, venue.url, f"[telemetry]\nprometheus_port = {port}\n") as process,
        running(
            *(program, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}", listen),
            folder=tmp_path / "prometheus",
        ),
    ):
        until(lambda: prometheus.query("up == 1"), (tmp_path / "desk" / "out").read_text())
        try:
            until(all_have_data, "data for each expression")
        except AssertionError:
            raise AssertionError(f"no data: {list(empty)}; {(tmp_path / 'desk' / 'out').read_text()}") from None
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_the_script_starts_prometheus_for_a_desk_and_ends_it(tmp_path: Path, state_dir: Path) -> None:
    if shutil.which("prometheus") is None:
        pytest.skip("no prometheus here (.ci/packages installs it)")
    port, own_port, grafana_port = free_port(), free_port(), free_port()
    prometheus = PrometheusApi(own_port)

    with running(ROOT / "scripts" / "observe", port, own_port, grafana_port, folder=tmp_path / "observe") as script:
        [target] = until(prometheus.targets, "the target")
        config = (state_dir / "observe" / "prometheus.yml").read_text()
        script.send_signal(signal.SIGINT)
        status = script.wait(60)

    assert target["scrapeUrl"] == f"http://127.0.0.1:{port}/metrics"
    assert f"credentials_file: {state_dir / 'metrics_token'}" in config
    assert status == 0, (tmp_path / "observe" / "out").read_text()
    with pytest.raises(OSError, match="refused"):
        prometheus.targets()
