"""`desk submit` against a job server that speaks Ray's protocol."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from job_server import JOB, JobLife, JobServer
from made_up_tape import market, write_tape
from typer.testing import CliRunner, Result

from actors.jobs.job_server import ADDRESS_VARIABLE, AGENT_PATIENCE_S, AGENT_RETRY_S, JobClient, JobEnd, RetryClock
from actors.jobs.working_copy import MOST_BYTES
from console.cli import app
from console.commands.submit import exit_status
from console.display.figures import verdict
from desk.model.errors import RunFailed
from desk.report.summary import Summary

PLAN = """
[session]
name = "small-day"
[feed]
kind = "synthetic"
synthetic = { symbols = 20, minutes = 1 }
symbols = ["*"]
"""
VERDICT = "ok · balanced · /runs/small-day\n"
# Raised within Ray 2.60, which hands to aiohttp what that does without one day.
pytestmark = pytest.mark.filterwarnings("ignore:ssl=None is deprecated:DeprecationWarning")

PLANTED = ("ALPACA_API_KEY", "ALPACA_SECRET_KEY", "POLYGON_API_KEY", "RAY_AUTH_TOKEN")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a plan, in which the command is given."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "plan.toml").write_text(PLAN)
    monkeypatch.chdir(folder)
    for name in ("NUM_CONSUMERS", "DATA_CONNECTOR", "RAYDESK_SECRETS_DIR", ADDRESS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")  # put back at the end, likewise
    monkeypatch.setenv(ADDRESS_VARIABLE, "http://127.0.0.1:1")  # put back at the end, whatever the command makes of it
    return folder


@pytest.fixture
def serve() -> Iterator[Callable[[JobLife], JobServer]]:
    """Job servers for this test."""
    servers: list[JobServer] = []

    def start(life: JobLife) -> JobServer:
        servers.append(JobServer(life).__enter__())
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__(None, None, None)


def submit(server: JobServer | str, *args: object, plan: str = "plan.toml") -> Result:
    address = server if isinstance(server, str) else server.address
    return CliRunner().invoke(app, ["submit", plan, "--address", address, *map(str, args)])


def test_a_job_is_the_plan_with_its_flags_in_a_copy_of_this_folder(
    serve: Callable[[JobLife], JobServer], project: Path
) -> None:
    (project / "left").mkdir()
    (project / "left" / "behind.txt").write_text("")
    server = serve(JobLife([["Running\n", VERDICT]]))

    result = submit(server, "--consumers", 3, "--run-dir", "/data/run one")

    assert result.exit_code == 0, result.output
    assert "small-day · replay · 1 file of" in result.stdout
    assert f"ray job stop {JOB}" in result.stdout
    assert result.stdout.endswith(f"Running\n{VERDICT}")
    (job,) = server.submitted
    assert job["entrypoint"] == "python -m actors plan.toml --consumers 3 --run-dir '/data/run one'"
    assert job["metadata"] == {"plan": "small-day", "run_folder": "/data/run one"}
    assert server.files == ["plan.toml"]
    assert "  plan.toml      1 file     0.1 KiB\n" in result.stdout


def test_of_this_environment_a_job_gets_what_a_plan_may_be_overridden_by_and_no_secret(
    serve: Callable[[JobLife], JobServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PLANTED:
        monkeypatch.setenv(name, f"hidden {name}")
    monkeypatch.setenv("NUM_CONSUMERS", "2")
    server = serve(JobLife([[VERDICT]]))

    result = submit(server)

    assert result.exit_code == 0, result.output
    (job,) = server.submitted
    assert job["runtime_env"]["env_vars"] == {"RAY_JOB_STOP_WAIT_TIME_S": "120", "NUM_CONSUMERS": "2"}
    assert job["metadata"]["run_folder"] == "small-day-<utc time> in RAYDESK_RUNS_DIR of the cluster"
    assert "hidden" not in f"{job}{result.output}"


@pytest.mark.parametrize(("status", "exit_code", "expected"), [("FAILED", 1, 1), ("FAILED", 3, 3), ("FAILED", -9, 137)])
def test_the_exit_status_is_the_desks(
    serve: Callable[[JobLife], JobServer], status: str, exit_code: int, expected: int
) -> None:
    result = submit(serve(JobLife([["said\n"]], status, exit_code)))

    assert result.exit_code == expected
    assert ("no verdict" in result.stdout) is (expected > 128)


def test_a_job_that_never_ran_exits_1_and_says_why(serve: Callable[[JobLife], JobServer]) -> None:
    result = submit(serve(JobLife([[]], "FAILED", None, "no room for it")))

    assert result.exit_code == 1
    assert "no room for it" in result.stderr


def test_a_log_that_breaks_off_is_read_again_and_shown_once(serve: Callable[[JobLife], JobServer]) -> None:
    server = serve(JobLife([["one\n", "two\n"], ["one\ntwo\nthree\n", VERDICT]]))

    result = submit(server)

    assert result.exit_code == 0, result.output
    assert result.stdout.endswith(f"one\ntwo\nthree\n{VERDICT}")


def test_a_lost_connection_exits_1_and_says_that_the_job_continues(serve: Callable[[JobLife], JobServer]) -> None:
    result = submit(serve(JobLife([["running\n"]], endless=True, lost=True)))

    assert result.exit_code == 1
    assert f"error: job {JOB}: the connection to the cluster is lost" in result.stderr
    assert "continues there" in result.stderr


def test_a_refused_job_exits_1_with_the_clusters_last_word(serve: Callable[[JobLife], JobServer]) -> None:
    result = submit(serve(JobLife(refusal="Traceback (most recent call last):\nValueError: no such thing")))

    assert result.exit_code == 1
    assert "error: the job: the cluster rejects the request: ValueError: no such thing" in result.stderr


def test_a_cluster_that_wants_a_token_exits_3_and_names_where_it_is_looked_for(
    serve: Callable[[JobLife], JobServer],
) -> None:
    result = submit(serve(JobLife(token="wanted")))

    assert result.exit_code == 3
    assert "Missing authentication token" in result.stderr
    assert "RAY_AUTH_MODE=token" in result.stderr
    assert "~/.ray/auth_token" in result.stderr


class CountedClock(RetryClock):
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.s = 0.0

    def now_s(self) -> float:
        return self.s

    def sleep(self, seconds: float) -> None:
        self.s += seconds


def test_a_head_whose_job_agent_is_not_up_yet_is_retried_and_that_is_reported_once(
    serve: Callable[[JobLife], JobServer], project: Path
) -> None:
    server, clock, told = serve(JobLife(agentless=3)), CountedClock(), list[str]()

    job = JobClient(server.address, clock=clock).submit(["true"], project, {}, {}, told.append)

    assert job == JOB
    assert server.asked == 4
    assert clock.s == 3 * AGENT_RETRY_S
    assert told == ["! the cluster's job agent is not up yet: retrying for up to 30 s"]


def test_a_job_agent_that_never_comes_up_is_one_error_after_30_s(
    serve: Callable[[JobLife], JobServer], project: Path
) -> None:
    server, clock = serve(JobLife(agentless=10_000)), CountedClock()

    with pytest.raises(RunFailed, match="its job agent did not start within 30 s"):
        JobClient(server.address, clock=clock).submit(["true"], project, {}, {}, lambda _: None)

    assert clock.s == AGENT_PATIENCE_S
    assert server.submitted == []


def test_any_other_refusal_is_reported_at_once(serve: Callable[[JobLife], JobServer], project: Path) -> None:
    server, clock = serve(JobLife(refusal="ValueError: no such thing")), CountedClock()

    with pytest.raises(RunFailed, match="no such thing"):
        JobClient(server.address, clock=clock).submit(["true"], project, {}, {}, lambda _: None)

    assert clock.s == 0
    assert server.asked == 1


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("excepted", [None, "example.com"])
def test_a_cluster_on_this_machine_is_asked_without_the_proxy(
    serve: Callable[[JobLife], JobServer], monkeypatch: pytest.MonkeyPatch, name: str, excepted: str | None
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(variable, excepted or "")

    result = submit(serve(JobLife([[VERDICT]])))

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_proxy_on_the_way_to_another_machine_is_named_with_no_proxy(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")

    result = submit("http://cluster.invalid:8265")

    assert result.exit_code == 2
    assert f"nothing answers at http://cluster.invalid:8265, by way of the proxy in {name}" in result.stderr
    assert "Add its host to no_proxy" in result.stderr


def test_a_token_that_would_go_unencrypted_to_another_machine_is_a_warning() -> None:
    elsewhere, here = submit("http://cluster.invalid:8265"), submit("http://127.0.0.1:1")

    assert "! token and package go unencrypted to http://cluster.invalid:8265" in elsewhere.stdout
    assert "unencrypted" not in here.stdout


def test_an_address_of_the_environment_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, "127.0.0.1:8265")

    result = CliRunner().invoke(app, ["submit", "plan.toml"])

    assert result.exit_code == 2
    assert f"error: environment, {ADDRESS_VARIABLE}: no cluster to submit to" in result.stderr


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1", "127.0.0.1:8265", "http://", "ray://127.0.0.1:10001", "auto"]
)
def test_where_no_cluster_answers_it_exits_2_with_the_remedy(address: str) -> None:
    result = submit(address)

    assert result.exit_code == 2
    assert "error: --address: no cluster to submit to" in result.stderr
    assert "ray start --head" in result.stderr


def test_what_answers_but_is_no_job_server_is_reported(serve: Callable[[JobLife], JobServer]) -> None:
    result = submit(serve(JobLife(is_ray=False)))

    assert result.exit_code == 2
    assert "is no job server of Ray" in result.stderr


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--consumers", 99], "--consumers"),
        (["--run-dir", "runs/one"], "command line, --run-dir: `runs/one`"),
    ],
)
def test_bad_arguments_exit_2_before_a_cluster_is_asked(args: list[object], told: str) -> None:
    result = submit("http://127.0.0.1:1", *args)

    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("kind =", "knid ="), "[feed] knid"),
        (("[feed]", '[[strategies]]\nuse = "no.such:Thing"\n[feed]'), "[[strategies]] #1"),
        (('symbols = ["*"]', 'symbols = ["NONE"]'), '`"NONE"`'),
        (('"synthetic"\nsynthetic = { symbols = 20, minutes = 1 }', '"tape"\npath = "../day.parquet"'), "[feed] path"),
    ],
)
def test_a_bad_plan_exits_2_before_a_cluster_is_asked(project: Path, change: tuple[str, str], told: str) -> None:
    (project / "plan.toml").write_text(PLAN.replace(*change))

    result = submit("http://127.0.0.1:1")

    assert result.exit_code == 2
    assert "error: plan.toml" in result.stderr or '`"NONE"`' in result.stderr
    assert told in result.stderr


def test_a_plan_that_does_not_go_along_exits_2(project: Path) -> None:
    (project.parent / "other.toml").write_text(PLAN)
    (project / "link.toml").symlink_to("../other.toml")

    outside, link = (submit("http://127.0.0.1:1", plan=plan) for plan in ("../other.toml", "link.toml"))

    assert (outside.exit_code, link.exit_code) == (2, 2)
    assert "it is outside" in outside.stderr
    assert "it is a link out of the project" in link.stderr


@pytest.mark.parametrize("path", ["/data/us/day.parquet", "s3://tapes/day.parquet"])
def test_a_tape_elsewhere_is_the_clusters(serve: Callable[[JobLife], JobServer], project: Path, path: str) -> None:
    (project / "plan.toml").write_text(f'[session]\nname = "t"\n[feed]\nkind = "tape"\npath = "{path}"\n')

    result = submit(serve(JobLife([[VERDICT]])))

    assert result.exit_code == 0, result.output
    assert f"! the tape {path} is expected on the cluster" in result.stdout


@pytest.mark.parametrize("path", ["tapes/day.parquet", "tapes", "tapes/*.parquet"])
def test_a_tape_in_this_folder_goes_along_and_is_looked_into(
    serve: Callable[[JobLife], JobServer], project: Path, path: str
) -> None:
    write_tape(project / "tapes" / "day.parquet", market(5, 40.0))
    plan = f'[session]\nname = "t"\n[feed]\nkind = "tape"\npath = "{path}"\nsymbols = ["SYN0000"]\n'
    (project / "plan.toml").write_text(plan)
    server = serve(JobLife([[VERDICT]]))

    result = submit(server)
    (project / "plan.toml").write_text(plan.replace("SYN0000", "NONE"))
    without = submit(server)

    assert result.exit_code == 0, result.output
    assert "tapes/day.parquet" in server.files
    assert without.exit_code == 2
    assert '`"NONE"`' in without.stderr


def test_the_keys_of_a_live_feed_are_the_clusters(serve: Callable[[JobLife], JobServer], project: Path) -> None:
    (project / "plan.toml").write_text(
        '[session]\nname = "p"\nmode = "paper"\n[feed]\nkind = "alpaca"\nsymbols = ["A"]\n'
    )

    result = submit(serve(JobLife([[VERDICT]])))

    assert result.exit_code == 0, result.output
    assert "keys are the cluster's" in result.stdout


def test_a_folder_that_is_too_large_exits_2_and_names_what_is_biggest(project: Path) -> None:
    (project / "data").mkdir()
    with (project / "data" / "big.bin").open("wb") as file:
        file.truncate(MOST_BYTES)

    result = submit("http://127.0.0.1:1", "--include", "data")

    assert result.exit_code == 2
    assert "data/ 50.0 MiB" in result.stderr
    assert "Include less" in result.stderr


def test_one_signal_stops_the_job_and_waits_for_its_verdict(serve: Callable[[JobLife], JobServer]) -> None:
    server = serve(JobLife([["running\n"]], endless=True, after_stop=VERDICT))
    sender = threading.Thread(target=lambda: server.reading.wait(30) and os.kill(os.getpid(), signal.SIGTERM))
    sender.start()

    result = submit(server)

    sender.join()
    assert result.exit_code == 0, result.output
    assert server.stops == 1
    assert "SIGTERM: the job is being stopped" in result.stdout
    assert result.stdout.endswith(VERDICT)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_second_signal_leaves_at_once_and_says_that_the_job_continues_stopping(
    serve: Callable[[JobLife], JobServer], number: signal.Signals, status: int
) -> None:
    server = serve(JobLife([["running\n"]], endless=True))
    command = [sys.executable, "-m", "console.cli", "submit", "plan.toml", "--address", server.address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.reading.wait(60)

    process.send_signal(number)
    assert process.stdout is not None
    said = iter(process.stdout.readline, "")
    assert any("the job is being stopped" in line for line in said)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert process.returncode == status, err
    assert f"The job continues to stop; `ray job logs {JOB}`" in out


@pytest.mark.parametrize(("problems", "failed", "status"), [([], False, 0), (["one", "two"], False, 0), ([], True, 1)])
def test_the_verdict_of_a_stopped_desk_is_its_exit_status(
    finished_run: Summary, problems: list[str], failed: bool, status: int
) -> None:
    summary = msgspec.structs.replace(finished_run, problems=problems).judged(failed=failed)
    said = f"running\n{verdict(summary, Path('/runs/one'))}\nsomebody has the last word\n"

    assert exit_status(JobEnd(stopped=True, exit_code=None, message=""), said, None) == status


@pytest.mark.parametrize(("received", "status"), [(None, 143), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_desk_that_was_stopped_before_it_had_books_ended_by_the_signal(received: int | None, status: int) -> None:
    assert exit_status(JobEnd(stopped=True, exit_code=None, message=""), "starting\n", received) == status
