"""One Ray cluster for the test session, started as a user does: `ray start --head`, token authentication, loopback.

Secrets lie beside it in a folder, as cluster.yaml has them on every node.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
LOGICAL_CPUS = 8
SECRETS = ("ALPACA_API_KEY", "ALPACA_SECRET_KEY", "POLYGON_API_KEY", "RAYDESK_LEDGER_PASSWORD")
START_DEADLINE_S = 90.0


@dataclass(frozen=True)
class RayHead:
    """A running head: where it is, the environment that its clients need, and what it keeps secret, by variable.

    Its `folder` is its own: whatever Ray shares /tmp/ray leaves its address there, and jobs go by the newest.
    """

    address: str
    dashboard: str
    metrics: str
    environment: dict[str, str]
    secrets: dict[str, str]
    folder: Path


def free_ports(count: int) -> list[int]:
    """That many different free ports."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def wait_until(done: Callable[[], bool], deadline_s: float, what: str) -> None:
    """Poll until `done`; fails the test when the deadline passes first."""
    end_s = time.monotonic() + deadline_s
    while not done():
        if time.monotonic() > end_s:
            pytest.fail(f"{what} did not happen within {deadline_s:.0f} s")
        time.sleep(0.02)


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that configures Ray or the desk."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "RAYDESK_"))}
    kept.pop("NUM_CONSUMERS", None)
    kept |= {name: value for name, value in os.environ.items() if name in {"RAYDESK_STATE_DIR", "RAYDESK_CACHE_DIR"}}
    return kept | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "RAY_USAGE_STATS_ENABLED": "0"}


@pytest.fixture(scope="session")
def ray_head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    """A head with a dashboard; ended at the end of the session, by the id of the process started here."""
    folder = tmp_path_factory.mktemp("ray")
    hidden = {name: secrets.token_hex(32) for name in ("ray_auth_token", *SECRETS)}
    (folder / "secrets").mkdir(mode=0o700)
    for name, secret in hidden.items():
        (folder / "secrets" / name).write_text(secret)
        (folder / "secrets" / name).chmod(0o600)
    environment = clean_environment() | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "secrets" / "ray_auth_token"),
        "RAYDESK_SECRETS_DIR": str(folder / "secrets"),
        "RAY_worker_niceness": "0",
        "RAY_metrics_report_interval_ms": "2000",
        "PYTHONHASHSEED": "0",
    }
    own = Path(tempfile.mkdtemp(prefix="desk-ray-"))  # sockets lie in it: pytest's own folders have too long names
    port, dashboard_port, metrics_port, client_port, agent_port = free_ports(5)
    command = [
        BIN / "ray",
        "start",
        "--head",
        "--block",
        "--node-ip-address=127.0.0.1",
        f"--port={port}",
        "--dashboard-host=127.0.0.1",
        f"--dashboard-port={dashboard_port}",
        "--include-dashboard=true",
        f"--metrics-export-port={metrics_port}",
        f"--num-cpus={LOGICAL_CPUS}",
        f"--object-store-memory={128 * 1024 * 1024}",
        f"--ray-client-server-port={client_port}",
        f"--dashboard-agent-listen-port={agent_port}",
        f"--temp-dir={own}",
    ]
    log = folder / "start.log"
    with log.open("wb") as output:
        head = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        wait_until(
            lambda: head.poll() is not None or "Ray runtime started" in log.read_text(),
            START_DEADLINE_S,
            "the start of Ray",
        )
        assert head.poll() is None, log.read_text()
        urls = (f"http://127.0.0.1:{dashboard_port}", f"http://127.0.0.1:{metrics_port}/metrics")
        yield RayHead(f"127.0.0.1:{port}", *urls, environment, hidden, own)
    finally:
        head.send_signal(signal.SIGTERM)
        try:
            head.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait()
        shutil.rmtree(own, ignore_errors=True)
