"""The client of Ray's job server: submit a desk as a job, follow its log, stop it.

Tests: tests/console/test_console_submit.py
"""

import logging
import os
import re
import shlex
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from ray.exceptions import AuthenticationError
from ray.job_submission import JobStatus, JobSubmissionClient

from actors.jobs.proxies import go_direct_to_loopback, proxy_variable
from actors.ray_internals.names import JOB_LOGGERS
from desk.model.errors import CredentialsError, PlanError, RunFailed

ADDRESS: Final = re.compile(r"https?://([^\s/:@]+|\[[^\s\]]+\])(:[0-9]{1,5})?/?")
ADDRESS_VARIABLE: Final = "RAY_API_SERVER_ADDRESS"

# The desk reports packing and connection itself.
CHATTY: Final = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    *JOB_LOGGERS,
)


AGENT_PATIENCE_S: Final = 30.0
AGENT_RETRY_S: Final = 1.0
NO_AGENT: Final = "No available agent"
"""The answer of Ray's head (2.60, dashboard/modules/job/job_head.py) before an agent has registered."""


class RetryClock:
    """Time for retries."""

    def now_s(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class JobEnd(msgspec.Struct, frozen=True):
    """The end of a job. `exit_code` is None for a job that was stopped or never ran."""

    stopped: bool
    exit_code: int | None
    message: str


class JobClient:
    """The job server of the cluster whose dashboard is at `address`, as http://host:port.

    The constructor raises PlanError if no cluster answers, CredentialsError if the cluster rejects the token. Methods
    raise RunFailed. `place` names the source of the address, for errors. A server on this machine is reached without a
    proxy.
    """

    def __init__(self, address: str, place: str = "--address", clock: RetryClock = RetryClock()) -> None:  # noqa: B008 - it has no state
        if ADDRESS.fullmatch(address) is None:
            raise _no_cluster(place, f"`{address}` is no address of the form http://host:port")
        self._clock = clock
        go_direct_to_loopback(address)
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.ERROR)
        # Ray prefers these variables to an argument; here the argument wins.
        os.environ[ADDRESS_VARIABLE] = address
        with _connecting(address, place):
            self._client = JobSubmissionClient(address)

    def submit(
        self,
        command: Sequence[str],
        folder: Path,
        variables: Mapping[str, str],
        metadata: Mapping[str, str],
        tell: Callable[[str], None],
    ) -> str:
        """Start the command in a copy of the folder on the cluster; return the job's id.

        Everyone with access to the dashboard can read the variables and metadata. A head that was just started may
        have no job agent yet: this is reported once, and the call is retried for AGENT_PATIENCE_S.
        """
        runtime_env = {"working_dir": str(folder), "env_vars": dict(variables)}
        end_s = self._clock.now_s() + AGENT_PATIENCE_S
        tries = 0
        with _asking("the job"):
            while True:
                try:
                    job: str = self._client.submit_job(
                        entrypoint=shlex.join(command), runtime_env=runtime_env, metadata=dict(metadata)
                    )
                except RuntimeError as error:
                    if NO_AGENT not in str(error):
                        raise
                    if self._clock.now_s() >= end_s:
                        raise _no_agent() from error
                else:
                    return job
                if tries == 0:
                    tell(f"! the cluster's job agent is not up yet: retrying for up to {AGENT_PATIENCE_S:g} s")
                tries += 1
                self._clock.sleep(AGENT_RETRY_S)

    def stop(self, job: str) -> None:
        """Request the job's end, as `ray job stop` does, without waiting."""
        with _asking(f"job {job}"):
            self._client.stop_job(job)

    def end(self, job: str) -> JobEnd | None:
        """The job's end; None while it runs."""
        with _asking(f"job {job}"):
            info = self._client.get_job_info(job)
        if not info.status.is_terminal():
            return None
        return JobEnd(info.status is JobStatus.STOPPED, info.driver_exit_code, info.message or "")

    async def log(self, job: str) -> AsyncIterator[str]:
        """Yield the job's log from its beginning, piece by piece, until the job ends or the connection fails.

        Call `end` to tell the two apart; it raises if the connection is lost.
        """
        with suppress(RuntimeError, OSError, aiohttp.ClientError):
            async for text in self._client.tail_job_logs(job):
                yield text


@contextmanager
def _connecting(address: str, place: str) -> Iterator[None]:
    try:
        yield
    except AuthenticationError as error:
        raise CredentialsError(
            address,
            _first_line(error.message),
            "RAY_AUTH_MODE=token, and the cluster's token in ~/.ray/auth_token or the file RAY_AUTH_TOKEN_PATH names",
            "Set RAY_AUTH_MODE to the cluster's value, and copy its token here.",
        ) from error
    except ConnectionError as error:
        raise _no_cluster(place, f"nothing answers at {address}", proxy_variable(address)) from error
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        found = f"the server at {address} is no job server of Ray ({_first_line(str(error))})"
        raise _no_cluster(place, found, proxy_variable(address)) from error


def _no_cluster(place: str, found: str, proxy: str = "") -> PlanError:
    """The error for an unreachable cluster; `proxy` is the variable that names the proxy in use."""
    return PlanError(
        place,
        f"no cluster to submit to: {found}{f', by way of the proxy in {proxy}' if proxy else ''}",
        "the dashboard of a running Ray cluster, as http://127.0.0.1:8265",
        "Add its host to no_proxy, if the proxy does not reach it."
        if proxy
        else "Start one with `ray start --head`; `ray dashboard cluster.yaml` forwards the port of a remote one.",
    )


def _no_agent() -> RunFailed:
    return RunFailed(
        "the job",
        f"the cluster accepts no job: its job agent did not start within {AGENT_PATIENCE_S:g} s",
        "a head whose job agent runs",
        "Check logs/dashboard_agent.log of its Ray session, and submit again.",
    )


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Translate Ray's errors within the block to RunFailed: a rejected request, or a lost connection."""
    try:
        yield
    except AuthenticationError as error:
        raise RunFailed(what, _first_line(error.message), "the cluster's token", "Copy it here again.") from error
    except OSError as error:
        raise RunFailed(
            what,
            f"the connection to the cluster is lost: {_first_line(str(error))}",
            "a cluster that answers",
            "The job continues there: `ray job list` shows it, `ray job logs --follow ID` prints its log.",
        ) from error
    except (RuntimeError, ValueError) as error:
        raise RunFailed(
            what,
            f"the cluster rejects the request: {_last_line(str(error))}",
            "a job server that accepts jobs",
            "Check logs/dashboard_JobHead.log of its Ray session.",
        ) from error


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")


def _last_line(text: str) -> str:
    """The last line of a traceback."""
    return next(reversed(text.strip().splitlines()), "")
