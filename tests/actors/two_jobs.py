"""Two desks as jobs of one cluster: one reads a venue and is stopped while the other runs."""

import json
import os
import secrets
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError

import pytest
from desk_process import END_DEADLINE_S, RunningDesk
from session_ray import BIN, ROOT, SECRETS, RayHead, wait_until
from slice_plans import minute_ns, write_slice

PATIENCE_S: Final = 60.0
VENUE: Final = {"KEY": "API_KEY", "SECRET": "SECRET_KEY"}
GATE: Final = '''
import time
from pathlib import Path

from desk import strategy
from desk.model.units import SECOND_NS


class Gate(strategy.Strategy):
    """Decides nothing, and goes no further than its time before a file is there."""

    class Params(strategy.Params, frozen=True):
        at_s: int
        path: str

    def on_second(self, ctx):
        while ctx.now_ns >= self.params.at_s * SECOND_NS and not Path(self.params.path).exists():
            time.sleep(0.01)
'''
GATED: Final = """
[guards]
hang_s = 600
strategy_budget_ms = 60000
[[strategies]]
use = "gate:Gate"
params = {{ at_s = {at_s}, path = "{path}" }}
"""
LISTENING: Final = """
[session]
name = "listening"
mode = "paper"
clock = "venue"
[feed]
kind = "alpaca"
url = "ws://127.0.0.1:{port}/v2/sip"
symbols = ["*"]
[guards]
max_clock_skew_ms = 600000
[flow]
checkpoint_s = 0.1
[consumers]
count = 2
cpus = 0.5
[[strategies]]
use = "strategies.examples.mean_reversion:MeanReversion"
"""
# Not among them: /api/v0/cluster_events, which fails (500) once any worker was killed; what it reads lies in the logs.
ANSWERS: Final = (
    "/api/version",
    "/api/jobs/",
    "/api/v0/jobs",
    "/api/v0/actors?detail=true&limit=10000",
    "/api/v0/tasks?detail=true",
    "/api/v0/workers?detail=true&limit=10000",
    "/api/v0/runtime_envs?detail=true",
    "/api/v0/nodes?detail=true",
    "/api/cluster_status",
    "/nodes?view=summary",
    "/logical/actors",
    "/events",
)


class SubmittedDesk(RunningDesk):
    """A desk as a Ray job; `process` is the command that submitted it and shows its log."""

    def __init__(self, command: list[Path | str], run_dir: Path, folder: Path, environment: dict[str, str]) -> None:
        self._launch(command, folder, run_dir, environment, END_DEADLINE_S)


@dataclass(frozen=True)
class TwoJobs:
    """What is left of the two desks, and what was told of them while they ran and afterwards, by place.

    `hidden` are the secrets of the cluster and of who submitted the jobs.
    """

    stopped: RunningDesk
    stopped_end: tuple[int, str, str]
    stopped_job: dict[str, Any]
    other: RunningDesk
    other_end: tuple[int, str, str]
    session: Path
    answers: dict[str, str]
    hidden: dict[str, str]


class Dashboard:
    """What the dashboard of a head answers to who has its token."""

    def __init__(self, head: RayHead) -> None:
        self._url = head.dashboard
        self._token = head.secrets["ray_auth_token"]

    def get(self, path: str) -> str:
        """The answer's body."""
        request = urllib.request.Request(self._url + path, headers={"Authorization": f"Bearer {self._token}"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                body: bytes = answer.read()
        except HTTPError as error:
            pytest.fail(f"{path}: {error}: {error.read().decode(errors='replace')[:2000]}")
        return body.decode()

    def job(self, run_dir: Path) -> dict[str, Any]:
        """The job that runs the desk with this folder."""
        (found,) = (job for job in json.loads(self.get("/api/jobs/")) if str(run_dir) in job["entrypoint"])
        return dict(found)

    def answers(self, job: str) -> dict[str, str]:
        """All that it says of everything, by path."""
        return {path: self.get(path) for path in (*ANSWERS, f"/api/jobs/{job}", f"/api/jobs/{job}/logs")}


@contextmanager
def listening_plan(folder: Path, head: RayHead) -> Iterator[Path]:
    """A plan that listens to a venue, which runs meanwhile and takes the cluster's key and secret only."""
    port = folder / "port"
    keys = {f"RAYDESK_VENUE_{name}": head.secrets[f"ALPACA_{alpaca}"] for name, alpaca in VENUE.items()}
    market = ["--symbols", "20", "--events-per-s", "200", "--port", "0", "--port-file", port]
    command = [BIN / "desk", "venue", *market]
    venue = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=os.environ | keys)
    try:
        wait_until(port.exists, 60.0, "the venue's start")
        plan = folder / "listening.toml"
        plan.write_text(LISTENING.format(port=int(port.read_text())))
        yield plan
    finally:
        venue.terminate()
        venue.wait(timeout=30)


@pytest.fixture(scope="session")
def two_jobs(ray_head: RayHead, morning: Path, tmp_path_factory: pytest.TempPathFactory) -> TwoJobs:
    """Two desks run as jobs, one by `desk submit`, one by `ray job submit`; the first is stopped by `ray job stop`."""
    folder, results = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("submitted")
    go, dashboard = results / "go", Dashboard(ray_head)
    (folder / "gate.py").write_text(GATE)
    write_slice(folder / "slice.toml", morning, GATED.format(at_s=minute_ns(5) // 10**9, path=go))
    theirs = {name: secrets.token_hex(32) for name in SECRETS}
    environment = ray_head.environment | theirs | {"RAY_API_SERVER_ADDRESS": ray_head.dashboard}

    def desk(run_dir: Path, *command: Path | str) -> SubmittedDesk:
        return SubmittedDesk([*command, "--run-dir", str(run_dir)], run_dir, folder, environment)

    ray_submit = ["ray", "job", "submit", "--working-dir", ".", "--", "python", "-m", "actors", "slice.toml"]
    with (
        listening_plan(folder, ray_head) as plan,
        closing(desk(results / "stopped", "desk", "submit", plan.name)) as stopped,
        closing(desk(results / "other", *ray_submit)) as other,
    ):
        stopped.wait_for_ticks()
        other.wait_for_mark(minute_ns(4))
        for job_desk in (stopped, other):
            assert not job_desk.ended, job_desk.finish()
        job = dashboard.job(stopped.run_dir)["submission_id"]
        meanwhile = dashboard.answers(job) | {"resume.json": (stopped.run_dir / "resume.json").read_text()}
        subprocess.run(
            ["ray", "job", "stop", job], env=environment, check=True, capture_output=True, timeout=END_DEADLINE_S
        )
        go.touch()
        stopped_end, other_end = stopped.finish(), other.finish()
    told = {f"{path} meanwhile": answer for path, answer in meanwhile.items()} | dashboard.answers(job)
    session = ray_head.folder / json.loads(told["/api/version"])["session_name"]
    hidden = ray_head.secrets | {f"{name} of who submits": secret for name, secret in theirs.items()}
    return TwoJobs(stopped, stopped_end, dashboard.job(stopped.run_dir), other, other_end, session, told, hidden)
