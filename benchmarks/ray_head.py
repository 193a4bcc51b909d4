"""Run `ray start --head` on loopback, and stop all of its processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

LOOPBACK: Final = "127.0.0.2"  # Ray replaces 127.0.0.1 by the machine's external address
STORE_BYTES: Final = 80 * 1024 * 1024
STARTED: Final = "Ray runtime started"
START_TIMEOUT_S: Final = 90.0
END_TIMEOUT_S: Final = 20.0
GRACE_S: Final = 2.0
POLL_S: Final = 0.05


class RayHead:
    """Context manager that runs a head without CPUs; head, nodes and actors have `variables` in their environment.

    The head leads a POSIX session, by which all of its processes are found and ended.
    """

    def __init__(self, folder: Path, port: int, flags: Sequence[str], variables: Mapping[str, str]) -> None:
        self.address = f"{LOOPBACK}:{port}"
        self._log = folder / "start.log"
        agent_port, client_port = free_ports(2)
        self._command = [
            str(Path(sys.executable).parent / "ray"),
            *("start", "--head", "--block", "--num-cpus=0", "--include-dashboard=false"),
            f"--node-ip-address={LOOPBACK}",
            f"--port={port}",
            f"--dashboard-agent-listen-port={agent_port}",
            f"--ray-client-server-port={client_port}",
            f"--object-store-memory={STORE_BYTES}",
            f"--temp-dir={folder / 'ray'}",
            *flags,
        ]
        self._environment = {**_environment(), **variables}
        self._head: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as output:
            self._head = subprocess.Popen(  # noqa: S603 - Ray's own program
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            self._wait_for_start(self._head)
        except BaseException:
            self._end(self._head)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._head is not None, "the head has not been started"
        self._end(self._head)

    def _wait_for_start(self, head: subprocess.Popen[bytes]) -> None:
        _wait_until(lambda: head.poll() is not None or STARTED in self._log.read_text(), START_TIMEOUT_S)
        if head.poll() is not None or STARTED not in self._log.read_text():
            raise RuntimeError(f"Ray did not start within {START_TIMEOUT_S:g} s: {self._log.read_text().strip()}")

    def _end(self, head: subprocess.Popen[bytes]) -> None:
        """End the head, then the nodes that its autoscaler started."""
        head.terminate()
        try:
            head.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            head.kill()
            head.wait()
        for number, timeout_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, END_TIMEOUT_S)):
            _signal(session_processes(head.pid), number)
            if _wait_until(lambda: not session_processes(head.pid), timeout_s):
                return
        raise RuntimeError(f"these processes of the cluster did not end: {sorted(session_processes(head.pid))}")


def free_ports(count: int) -> list[int]:
    """Return `count` different free ports."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in probes]


def session_processes(leader: int) -> set[int]:
    """The running processes of the session that `leader` leads (proc(5): stat, fields 3 and 6)."""
    found = set()
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            fields = Path(entry.path, "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == leader and fields[0] not in "XZ":
            found.add(int(entry.name))
    return found


def _environment() -> dict[str, str]:
    """The current environment without settings of Ray and the desk, plus those that all processes of a desk need."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "RAYDESK_"))}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONHASHSEED": "0",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
        "RAY_worker_num_grpc_internal_threads": "1",
    }


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _wait_until(done: Callable[[], bool], timeout_s: float) -> bool:
    """Poll until `done`; False on timeout."""
    deadline_s = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(POLL_S)
    return True
