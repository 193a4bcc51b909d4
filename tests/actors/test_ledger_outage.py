"""The ledger's server is down for a time in mid-run: nothing is lost; the outage is reported at once and at the end."""

import os
import re
import signal
from contextlib import closing
from pathlib import Path

import pytest
from desk_process import RunningDesk
from postgres_server import PostgresServer
from session_ray import RayHead, clean_environment, wait_until


def away_for_a_while(desk: RunningDesk, postgres: PostgresServer) -> None:
    """Stop the server until the desk says so, and then until the desk says that it answers again."""
    desk.wait_for_ticks()
    postgres.stop()
    try:
        wait_until(lambda: "it does not answer" in desk.log() or desk.ended, desk.deadline_s, "a word of the outage")
    finally:
        postgres.start()
    wait_until(lambda: "it answers again after" in desk.log() or desk.ended, desk.deadline_s, "a word of its end")


def assert_reported(desk: RunningDesk) -> None:
    os.kill(desk.process.pid, signal.SIGTERM)
    status, _, err = desk.finish()
    assert status == 0, err + desk.log()
    summary = desk.summary()
    assert (summary["ok"], summary["balanced"]) == (True, True), summary["problems"]
    # While a commit waits, quotes may be conflated; no tick is lost.
    assert not any(counts["dropped"] for counts in summary["ticks"].values())
    assert [warning for warning in summary["warnings"] if "did not answer" in warning and "nothing was lost" in warning]


def with_ledger(plan: Path, postgres: PostgresServer) -> Path:
    plan.write_text(f'{plan.read_text()}\n[ledger]\nurl = "{postgres.fresh_url()}"\n')
    return plan


def test_in_one_process(endless: Path, postgres: PostgresServer, tmp_path: Path) -> None:
    plan = with_ledger(endless, postgres)
    with closing(RunningDesk(plan, tmp_path / "run", clean_environment(), "--in-process")) as desk:
        away_for_a_while(desk, postgres)

        assert_reported(desk)


@pytest.mark.ray
def test_on_ray(ray_head: RayHead, endless: Path, postgres: PostgresServer, tmp_path: Path) -> None:
    plan = with_ledger(endless, postgres)
    with closing(RunningDesk(plan, tmp_path / "run", ray_head.environment, "--address", ray_head.address)) as desk:
        away_for_a_while(desk, postgres)

        assert_reported(desk)


@pytest.mark.ray
def test_a_run_on_ray_that_fails_afterwards_reports_it_too(
    ray_head: RayHead, endless: Path, postgres: PostgresServer, tmp_path: Path
) -> None:
    plan = with_ledger(endless, postgres)
    with closing(RunningDesk(plan, tmp_path / "run", ray_head.environment, "--address", ray_head.address)) as desk:
        away_for_a_while(desk, postgres)
        (schema,) = re.findall(r"ledger_\d+", plan.read_text())
        postgres.execute(f"DROP SCHEMA {schema} CASCADE")
        os.kill(desk.process.pid, signal.SIGTERM)

        status, _, err = desk.finish()

        assert status == 1, err
        assert [line for line in desk.summary()["warnings"] if "did not answer" in line and "nothing was lost" in line]
