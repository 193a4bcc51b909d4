"""Desks as Ray jobs: one is stopped and closes its session, while the other continues."""

import json
import signal
import subprocess
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from desk_process import assert_same_results
from session_ray import BIN, RayHead, wait_until
from slice_plans import ENDLESS
from test_on_ray import ACTORS
from two_jobs import GATE, GATED, SubmittedDesk, TwoJobs

pytestmark = pytest.mark.ray

RAYS_OWN_WAIT_S = 3.0


def test_ray_job_stop_in_the_middle_closes_the_books(two_jobs: TwoJobs) -> None:
    status, out, err = two_jobs.stopped_end

    assert status == 0, out + err
    assert out.splitlines()[-1] == f"ok · balanced · {two_jobs.stopped.run_dir}"
    summary = two_jobs.stopped.summary()
    assert summary["ok"], summary["problems"]
    assert summary["balanced"]
    assert summary["ticks"]["trades"]["received"] > 0
    assert not (two_jobs.stopped.run_dir / "resume.json").exists()


def test_ray_sees_a_stopped_job_that_ended_by_itself(two_jobs: TwoJobs) -> None:
    job = two_jobs.stopped_job

    assert job["status"] == "STOPPED"
    assert job["runtime_env"]["env_vars"] == {"RAY_JOB_STOP_WAIT_TIME_S": "120"}
    log = two_jobs.session / "logs" / "jobs" / f"supervisor-{job['submission_id']}.log"
    assert "has been terminated gracefully with SIGTERM" in log.read_text()


def test_the_desk_beside_it_comes_to_its_end_with_the_results_of_one_process(
    two_jobs: TwoJobs, undisturbed: Path
) -> None:
    status, out, err = two_jobs.other_end

    assert status == 0, out + err
    assert two_jobs.other.summary()["ok"]
    assert_same_results(two_jobs.other.run_dir, undisturbed)


def test_the_dashboard_lists_both_desks_by_the_names_of_their_actors(two_jobs: TwoJobs) -> None:
    actors = json.loads(two_jobs.answers["/api/v0/actors?detail=true&limit=10000 meanwhile"])["data"]["result"][
        "result"
    ]

    for desk, more in ((two_jobs.stopped, ["history"]), (two_jobs.other, [])):
        namespace = f"raydesk-{desk.run_dir.name}-"
        named = [actor["name"] for actor in actors if actor["ray_namespace"].startswith(namespace)]
        assert sorted(named) == sorted([*ACTORS, *more])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"RAY_AUTH_TOKEN": "another"}, "Invalid authentication token"),
        pytest.param({"RAY_AUTH_MODE": "disabled"}, "Missing authentication token", marks=pytest.mark.trial),
        pytest.param({"RAY_AUTH_TOKEN_PATH": "/nowhere/token"}, "/nowhere/token", marks=pytest.mark.trial),
    ],
)
def test_who_has_not_the_clusters_token_is_turned_away_with_3(
    ray_head: RayHead, endless: Path, change: dict[str, str], told: str
) -> None:
    command = [BIN / "desk", "submit", endless.name, "--address", ray_head.dashboard]

    turned_away = subprocess.run(
        command, cwd=endless.parent, env=ray_head.environment | change, capture_output=True, text=True, check=False
    )

    assert turned_away.returncode == 3, turned_away.stderr
    assert told in turned_away.stderr
    assert "Traceback" not in turned_away.stderr


@pytest.mark.trial
def test_ctrl_c_waits_for_books_that_take_longer_to_close_than_ray_waits_by_itself(
    ray_head: RayHead, endless: Path
) -> None:
    folder, go = endless.parent, endless.parent / "go"
    (folder / "gate.py").write_text(GATE)
    opening = datetime(2026, 1, 5, 9, 30, tzinfo=ZoneInfo("America/New_York"))
    endless.write_text(ENDLESS + GATED.format(at_s=int(opening.timestamp()) + 10, path=go))
    command = [BIN / "desk", "submit", endless.name, "--address", ray_head.dashboard, "--run-dir", folder / "run"]

    with closing(SubmittedDesk(command, folder / "run", folder, ray_head.environment)) as desk:
        desk.wait_for_ticks()
        desk.process.send_signal(signal.SIGINT)
        longer_s = time.monotonic() + RAYS_OWN_WAIT_S + 2
        wait_until(lambda: time.monotonic() > longer_s, 60.0, "the end of Ray's own patience")
        assert not desk.ended
        go.touch()
        status, out, err = desk.finish()

    assert status == 0, out + err
    assert out.splitlines()[-1] == f"ok · balanced · {folder / 'run'}"
    assert desk.summary()["balanced"]
