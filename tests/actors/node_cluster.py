"""A cluster of several nodes on this machine, in a process of its own. Commands on stdin add and remove nodes.

    python tests/actors/node_cluster.py

Prints its address, then a line for each command done: `add CPUS`, `remove N` (the Nth worker node, as a machine that
loses power), `drain N SECONDS` (it is to go so many seconds from now, as a machine that is preempted). Ends with its
stdin.
"""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from session_ray import BIN, ROOT, clean_environment

ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_worker_niceness": "0",
    "PYTHONHASHSEED": "0",
    # The loss of a node is noticed within seconds.
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
LOOPBACK = "127.0.0.2"  # Ray takes 127.0.0.1 for the address under which others know the machine
STORE_BYTES = 80 * 1024 * 1024


class NodeCluster:
    """The cluster, as its user has it. It begins with a head that has room for nothing but control actors."""

    def __enter__(self) -> Self:
        self.environment = clean_environment() | ENVIRONMENT
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__)],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = self._answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)

    @property
    def pid(self) -> int:
        """The process that has started every node."""
        return self._process.pid

    def add(self, cpus: int) -> None:
        """Add a worker node with room for so many CPUs."""
        self._tell(f"add {cpus}")

    def remove(self, number: int) -> None:
        """End a worker node with everything on it; they are counted from 0 in the order in which they were added."""
        self._tell(f"remove {number}")

    def drain(self, number: int, seconds: int) -> None:
        """Announce that a worker node will go so many seconds from now."""
        self._tell(f"drain {number} {seconds}")

    def _tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        assert self._answer() == command

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        assert answer, "the cluster is gone"
        return answer


def main() -> None:
    """Be the cluster."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - tests import this file without Ray

    where = {"node_ip_address": LOOPBACK, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **where})
    workers = []
    sys.stdout.write(f"{cluster.address}\n")
    sys.stdout.flush()
    for command in sys.stdin:
        match command.split():
            case ["add", cpus]:
                workers.append(cluster.add_node(num_cpus=int(cpus), **where))
            case ["remove", number]:
                cluster.remove_node(workers[int(number)], allow_graceful=False)
            case ["drain", number, seconds]:
                drain(cluster.address, workers[int(number)].node_id, int(seconds))
        sys.stdout.write(command)
        sys.stdout.flush()
    cluster.shutdown()


def drain(address: str, node: str, seconds: int) -> None:
    """Ask for it as a cloud's preemption notice does, which the command line of Ray passes on."""
    command = [BIN / "ray", "drain-node", "--address", address, "--node-id", node, "--reason-message", "preempted"]
    reason = ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--deadline-remaining-seconds", str(seconds)]
    subprocess.run([*command, *reason], check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
