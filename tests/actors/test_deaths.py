"""Any process of a desk can be killed at any time: it is restarted, and the results are the same."""

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest
from desk_process import RunningDesk, assert_accounts_hold, assert_same_results, is_alive
from session_ray import RayHead, wait_until
from slice_plans import minute_ns, write_slice

pytestmark = pytest.mark.ray

VICTIMS = ["producer", "consumer-00", "scanner", "broker", "ledger", "keeper"]
STREAM = [
    *("consumer-00", "consumer-01", "producer", "consumer-01", "broker", "consumer-00"),
    *("ledger", "consumer-01", "keeper", "consumer-00", "scanner", "consumer-01"),
]

DEADLY = """
[[strategies]]
use = "tests.actors.exiting_strategy:ExitingStrategy"
params = {{ marker = "{marker}" }}
"""


def a_desk(plan: Path, folder: Path, head: RayHead) -> RunningDesk:
    return RunningDesk(plan, folder / "run", head.environment, "--address", head.address)


@pytest.mark.trial
@pytest.mark.parametrize("victim", VICTIMS)
def test_when_any_process_is_killed_the_results_are_those_of_an_undisturbed_run(
    victim: str, ray_head: RayHead, slice_plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    desk = a_desk(slice_plan, tmp_path, ray_head)
    with closing(desk):
        desk.wait_for_mark(minute_ns(3))
        before = desk.pids()

        dead = desk.kill(victim)
        status, _, err = desk.finish()

        assert status == 0, err
        assert desk.pids()[victim] != dead
        assert {name: pid for name, pid in desk.pids().items() if before[name] != pid}.keys() == {victim}
        summary = desk.summary()
        assert_accounts_hold(summary)
        assert [consumer["restarts"] for consumer in summary["consumers"]] == [int(victim == "consumer-00"), 0]
        assert_same_results(desk.run_dir, undisturbed)


def test_a_stream_of_deaths_leaves_no_trace_in_the_results(
    ray_head: RayHead, slice_plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    desk = a_desk(slice_plan, tmp_path, ray_head)
    dead: dict[str, int] = {}
    with closing(desk):
        for minute, victim in enumerate(STREAM, 1):
            desk.wait_for_mark(minute_ns(minute))
            if victim in dead:
                desk.wait_for_successor(victim, dead[victim])
            dead[victim] = desk.kill(victim)
        status, _, err = desk.finish()

        assert status == 0, err
        summary = desk.summary()
        assert_accounts_hold(summary)
        assert [consumer["restarts"] for consumer in summary["consumers"]] == [
            STREAM.count("consumer-00"),
            STREAM.count("consumer-01"),
        ]
        assert_same_results(desk.run_dir, undisturbed)


@pytest.mark.trial
def test_all_processes_but_the_driver_can_be_killed_at_once(
    ray_head: RayHead, slice_plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    desk = a_desk(slice_plan, tmp_path, ray_head)
    with closing(desk):
        desk.wait_for_mark(minute_ns(4))

        for pid in desk.pids().values():
            os.kill(pid, signal.SIGKILL)
        status, _, err = desk.finish()

        assert status == 0, err
        assert_accounts_hold(desk.summary())
        assert_same_results(desk.run_dir, undisturbed)


@pytest.mark.trial
def test_a_strategy_that_ends_every_process_that_loads_it_is_stopped_and_the_rest_continues(
    ray_head: RayHead, morning: Path, undisturbed: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "deadly"
    plan = write_slice(tmp_path / "plan.toml", morning, DEADLY.format(marker=marker))
    desk = a_desk(plan, tmp_path, ray_head)
    with closing(desk):
        desk.wait_for_mark(minute_ns(3))

        marker.touch()
        desk.kill("consumer-00")
        status, _, err = desk.finish()

        assert status == 0, err
        (problem,) = desk.summary()["problems"]
        assert problem.startswith(
            "strategy ExitingStrategy was stopped for all symbols: its process was ended in load by os._"
        )
        assert_same_results(desk.run_dir, undisturbed)


@pytest.mark.trial
def test_an_actor_that_is_killed_whenever_it_has_come_up_stops_the_desk(
    ray_head: RayHead, slice_plan: Path, tmp_path: Path
) -> None:
    desk = a_desk(slice_plan, tmp_path, ray_head)
    with closing(desk):
        desk.wait_for_mark(minute_ns(2))

        while not desk.ended:
            dead = desk.kill("ledger")
            desk.wait_for_successor("ledger", dead)
        status, out, err = desk.finish()

        assert status == 1
        assert_given_up(desk, "ledger", out, err)


def assert_given_up(desk: RunningDesk, name: str, out: str, err: str) -> None:
    """The desk names the actor that kept dying, writes its results so far, and leaves a run that can be resumed."""
    assert f"error: {name}: it died 7 times in a row" in err
    assert out.strip().splitlines()[-1].startswith("failed")
    summary = desk.summary()
    assert not summary["ok"]
    assert any(name in problem for problem in summary["problems"])
    assert (desk.run_dir / "resume.json").exists()


@pytest.mark.trial
@pytest.mark.parametrize("victims", [VICTIMS[:1], VICTIMS[1:]], ids=["producer", "all others"])
def test_a_desk_in_real_time_survives_all_deaths_and_ends_in_order(
    victims: list[str], ray_head: RayHead, endless: Path, tmp_path: Path
) -> None:
    desk = a_desk(endless, tmp_path, ray_head)
    with closing(desk):
        desk.wait_for_ticks()

        for victim in victims:
            dead = desk.kill(victim)
            desk.wait_for_successor(victim, dead)
            desk.wait_for_mark(desk.mark_ns() + 1)
        desk.process.send_signal(signal.SIGTERM)
        status, out, err = desk.finish()

        assert status == 0, (err, desk.summary())
        assert out.strip().splitlines()[-1].startswith("ok · balanced")
        summary = desk.summary()
        assert summary["ok"]
        assert summary["ticks"]["trades"]["received"] > 0
        pids = [pid for pids in desk.started().values() for pid in pids]
        wait_until(lambda: not any(map(is_alive, pids)), 30.0, "the end of every actor")
